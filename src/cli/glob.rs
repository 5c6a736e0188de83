//! Patterns as Go's `path.Match` has them.

/// Tells whether `text` is all of what `pattern` describes: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are
/// one character, `\` takes the meaning from the next one. A malformed pattern matches nothing.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    // Where to go on when the rest does not fit: behind the last star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(at) {
            None if from == text.len() => return true,
            Some('*') => {
                retry = Some((at + 1, from));
                at += 1;
                continue;
            }
            Some(_) => text
                .get(from)
                .and_then(|c| one(&pattern[at..], *c))
                .map(|length| at + length),
            None => None,
        };
        if let Some(next) = fits {
            (at, from) = (next, from + 1);
            continue;
        }
        match retry {
            Some((behind, start)) if text.get(start).is_some_and(|c| *c != '/') => {
                retry = Some((behind, start + 1));
                (at, from) = (behind, start + 1);
            }
            _ => return false,
        }
    }
}

/// The length of the pattern's first element, when it describes `c`.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match *pattern.first()? {
        '?' => (c != '/').then_some(1),
        '[' => class(pattern, c),
        '\\' => (*pattern.get(1)? == c).then_some(2),
        other => (other == c).then_some(1),
    }
}

fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = if negated { 2 } else { 1 };
    let first = at;
    let mut found = false;
    let member = |at: &mut usize| -> Option<char> {
        if pattern.get(*at) == Some(&'\\') {
            *at += 1;
        }
        let c = *pattern.get(*at)?;
        *at += 1;
        Some(c)
    };
    while at == first || pattern.get(at)? != &']' {
        let low = member(&mut at)?;
        let high = match pattern.get(at) {
            Some('-') => {
                at += 1;
                member(&mut at)?
            }
            _ => low,
        };
        found |= (low..=high).contains(&c);
    }
    (found != negated).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("nginx", "nginx", true),
            ("ngin*", "nginx", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("n?inx", "nginx", true),
            ("a?b", "a/b", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a", "a", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a", false),
            ("*:1.2?", "repo:1.25", true),
            ("", "", true),
            ("", "a", false),
            ("ü*", "übung", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(4000)));
    }
}
