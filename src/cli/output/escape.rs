//! Control characters of foreign text made visible, so that it cannot drive the terminal.

use std::borrow::Cow;

/// Escapes all control characters but newline and tab.
pub fn text(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_control(c) && c != '\n' && c != '\t')
}

/// Escapes all control characters: the result is one line.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_control)
}

/// `"…"`, with quotes and backslashes escaped too.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_control(c) => push_escaped(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn escape(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&which) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if which(c) {
            push_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// C0, DEL, C1, and the marks that reorder a line (Unicode's bidirectional embeddings, overrides and isolates).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        let table = [
            ("plain", "plain", "plain"),
            ("a\tb\n", "a\tb\n", "a\\tb\\n"),
            ("\u{1b}[31mred", "\\x1b[31mred", "\\x1b[31mred"),
            ("\u{7f}\u{9b}\r", "\\x7f\\x9b\\r", "\\x7f\\x9b\\r"),
            ("\u{202e}evil", "\\u{202e}evil", "\\u{202e}evil"),
            ("ünï", "ünï", "ünï"),
        ];
        for (input, as_text, as_line) in table {
            assert_eq!(text(input), as_text);
            assert_eq!(line(input), as_line);
        }
        assert_eq!(quoted("a \"b\"\\\n"), "\"a \\\"b\\\"\\\\\\n\"");
    }
}
