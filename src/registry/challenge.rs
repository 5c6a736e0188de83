//! `WWW-Authenticate`: what a registry wants to see (RFC 9110 11.6.1; distribution's token specification).

/// One way to authenticate that the registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The challenges of one header, unknown schemes left out.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header;
    while let Some((scheme, params, after)) = next_challenge(rest) {
        let get = |name: &str| {
            params
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = get("realm")
        {
            challenges.push(Challenge::Bearer {
                realm,
                service: get("service"),
                scope: get("scope"),
            });
        }
        rest = after;
    }
    challenges
}

type Params = Vec<(String, String)>;

/// Splits off a scheme and its `key=value` list.
fn next_challenge(text: &str) -> Option<(&str, Params, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
    let scheme = &text[..end];
    if scheme.is_empty() {
        return None;
    }
    let mut rest = &text[end..];
    let mut params = Params::new();
    while let Some((key, value, after)) = next_param(rest) {
        params.push((key.to_owned(), value));
        rest = after;
    }
    Some((scheme, params, rest))
}

/// `None` where the next word is not followed by `=`: then it is the next scheme.
fn next_param(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c)))?;
    let (key, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']);
    if key.is_empty() {
        return None;
    }
    match rest.strip_prefix('"') {
        None => {
            let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
            Some((key, rest[..end].to_owned(), &rest[end..]))
        }
        Some(quoted) => {
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => return Some((key, value, &quoted[at + 1..])),
                    '\\' => value.extend(chars.next().map(|(_, c)| c)),
                    other => value.push(other),
                }
            }
            None // never closed: nothing of it is believed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_are_read() {
        let cases: [(&str, Vec<Challenge>); 11] = [
            (r#"Basic realm="x""#, vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                )],
            ),
            (
                r#"bearer Realm = "https://x/t" , error="invalid_token""#,
                vec![bearer("https://x/t", None, None)],
            ),
            (
                r#"Bearer realm=https://x/t,service=s"#,
                vec![bearer("https://x/t", Some("s"), None)],
            ),
            (r#"Bearer realm="a\"b""#, vec![bearer("a\"b", None, None)]),
            (
                r#"Basic realm="x", Bearer realm="https://y", Negotiate"#,
                vec![Challenge::Basic, bearer("https://y", None, None)],
            ),
            (r#"Negotiate, Basic realm="x""#, vec![Challenge::Basic]),
            (r#"Bearer service="s""#, vec![]),
            (r#"Bearer realm="never closed"#, vec![]),
            ("", vec![]),
        ];
        for (header, want) in cases {
            assert_eq!(parse(header), want, "{header}");
        }
    }
}
