//! Files of the web, for `import URL`: redirects are followed, no credentials but the URL's own are sent.

use std::io::Write;

use reqwest::header::LOCATION;
use reqwest::{StatusCode, Url};

use super::client::{Client, run};
use super::retry::Tries;
use super::session::MAX_REDIRECTS;
use super::transport::{Transport, authority, explain};
use crate::error::{Error, Kind, Result, Tried};

impl Client {
    /// Writes what `url` holds into `into`, as it comes: however large it is, it is never in memory.
    ///
    /// `http` and `https` only. From https no redirect leads to http: what was asked for in safety is not fetched
    /// without.
    pub fn download(&self, url: &str, into: &mut dyn Write) -> Result<()> {
        let mut at = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::usage(format!("download \"{url}\": not a URL of the web")))?;
        let tried = format!("download {}", shown(&at));
        let failed = |text: &str| Error::new(Kind::Registry, format!("{tried}: {text}"));
        run(async {
            let transport = Transport::new(&self.settings.transport);
            for _ in 0..=MAX_REDIRECTS {
                let client = transport.client(&at, false)?;
                let mut tries = Tries::new(self.settings.retry);
                let mut response = loop {
                    match client.get(at.clone()).send().await {
                        Ok(response) => break response,
                        Err(err) => {
                            let (wait, _) = tries.next(explain(&err, &tried).into())?;
                            tokio::time::sleep(wait).await;
                        }
                    }
                };
                if let Some(next) = response
                    .status()
                    .is_redirection()
                    .then(|| response.headers().get(LOCATION))
                    .flatten()
                {
                    let next = next.to_str().ok().and_then(|next| at.join(next).ok());
                    at = next
                        .filter(|next| {
                            matches!(next.scheme(), "https") || next.scheme() == at.scheme()
                        })
                        .ok_or_else(|| failed("it is redirected to where pod does not follow"))?;
                    continue;
                }
                if response.status() != StatusCode::OK {
                    return Err(failed(&format!(
                        "the server answered {}",
                        response.status()
                    )));
                }
                while let Some(bytes) = response
                    .chunk()
                    .await
                    .map_err(|err| explain(&err, &tried).error)?
                {
                    into.write_all(&bytes).tried(|| tried.clone())?;
                }
                return Ok(());
            }
            Err(failed("too many redirects"))
        })
    }
}

/// Without what may be secret in a URL: user, password, query.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}
