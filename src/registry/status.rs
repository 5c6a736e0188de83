//! What a registry's answers mean, in words.

use std::time::Duration;

use reqwest::header::{DATE, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::session::{Again, Fault};
use crate::error::{Error, Kind};

/// How long the registry wants to be left alone: seconds, or a date, counted from the answer's own date where it has
/// one (RFC 9110 10.2.3).
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
    wait_until(header(RETRY_AFTER)?, header(DATE))
}

fn wait_until(after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = after.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let read = |text: &str| {
        let parsed = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(parsed.timestamp())
    };
    let now = date.and_then(read).unwrap_or_else(jiff::Timestamp::now);
    let wait = read(after)?.duration_since(now);
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

/// Reads at most `limit` bytes of a body; `None` where there are more, or the connection broke.
pub(super) async fn read_limited(response: &mut Response, limit: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// What a status means, with the registry's own words where it has some (distribution-spec, Error Codes).
pub(super) fn word_status(
    tried: &str,
    status: StatusCode,
    body: &[u8],
    missing: &str,
    has_credentials: bool,
    after: Option<Duration>,
) -> Fault {
    let said = serde_json::from_slice::<oci_client::errors::OciEnvelope>(body)
        .ok()
        .and_then(|envelope| envelope.errors.into_iter().next())
        .map(|error| error.message)
        .filter(|message| !message.is_empty())
        .map(|message| message.chars().take(300).collect::<String>());
    let text = |usual: &str| match &said {
        Some(said)
            if usual
                .to_ascii_lowercase()
                .ends_with(&said.to_ascii_lowercase()) =>
        {
            format!("{tried}: {usual}")
        }
        Some(said) => format!("{tried}: {usual}: {said}"),
        None => format!("{tried}: {usual}"),
    };
    let fault = |error, again| Fault { error, again };
    let log_in = match has_credentials {
        true => "the credentials (of \"pod login\", or --creds) were refused: renew them",
        false => "no login is stored for it: use \"pod login\", or give --creds USER:PASSWORD",
    };
    match status.as_u16() {
        401 => fault(
            Error::new(
                Kind::Unauthorized,
                text("unauthorized: authentication required"),
            )
            .hint(log_in),
            Again::Never,
        ),
        403 => fault(
            Error::new(
                Kind::Unauthorized,
                text("requested access to the resource is denied"),
            )
            .hint(log_in),
            Again::Never,
        ),
        404 => fault(
            Error::new(Kind::NotFound, text(missing))
                .hint("check the name and the tag; a private repository also answers so"),
            Again::Never,
        ),
        429 => fault(
            Error::new(Kind::Registry, text("too many requests"))
                .hint("the registry limits pulls: wait, or log in for a higher limit"),
            after.map_or(Again::Soon, Again::After),
        ),
        408 | 500..=599 => fault(
            Error::new(
                Kind::Registry,
                text(&format!("the registry failed with status {status}")),
            ),
            after.map_or(Again::Soon, Again::After),
        ),
        _ => fault(
            Error::new(Kind::Registry, text(&format!("unexpected status {status}"))),
            Again::Never,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_put_into_words() {
        let body =
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#;
        let fault = word_status(
            "reading x",
            StatusCode::NOT_FOUND,
            body,
            "manifest unknown",
            false,
            None,
        );
        assert_eq!(fault.error.to_string(), "reading x: manifest unknown");
        assert_eq!(
            (fault.error.kind(), fault.again),
            (Kind::NotFound, Again::Never)
        );
        let fault = word_status(
            "reading x",
            StatusCode::TOO_MANY_REQUESTS,
            b"<html>",
            "",
            false,
            Some(Duration::from_secs(7)),
        );
        assert_eq!(fault.error.to_string(), "reading x: too many requests");
        assert_eq!(fault.again, Again::After(Duration::from_secs(7)));
        let fault = word_status("reading x", StatusCode::BAD_GATEWAY, b"", "", false, None);
        assert_eq!(
            fault.error.to_string(),
            "reading x: the registry failed with status 502 Bad Gateway"
        );
        assert_eq!(fault.again, Again::Soon);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let noon = "Sat, 21 Nov 2026 12:00:00 GMT";
        let cases = [
            ("7", None, Some(7)),
            (" 120 ", None, Some(120)),
            ("Sat, 21 Nov 2026 12:00:30 GMT", Some(noon), Some(30)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(noon), Some(0)),
            ("soon", None, None),
            ("-1", None, None),
        ];
        for (after, date, want) in cases {
            let want = want.map(Duration::from_secs);
            assert_eq!(wait_until(after, date), want, "{after}");
        }
    }
}
