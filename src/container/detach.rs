//! Detach keys: the key sequence that leaves a container running.

use crate::error::{Error, Result};

pub const DEFAULT_KEYS: &str = "ctrl-p,ctrl-q";

/// The bytes of a sequence such as `ctrl-p,ctrl-q` or `ctrl-],x`; empty text: no sequence.
pub fn parse_keys(text: &str) -> Result<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(parse_key).collect::<Option<Vec<u8>>>().ok_or_else(|| {
        Error::usage(format!("invalid detach keys {text:?}"))
            .hint("separate keys by commas; a key is one character or ctrl- and one of a-z @ [ \\ ] ^ _")
    })
}

fn parse_key(key: &str) -> Option<u8> {
    let one = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    };
    match key.strip_prefix("ctrl-") {
        None => one(key),
        Some(rest) => match one(rest)?.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => Some(letter - b'A' + 1),
            b'@' => Some(0),
            sign @ b'['..=b'_' => Some(sign - b'A' + 1),
            _ => None,
        },
    }
}

/// Finds the sequence in a stream that arrives in pieces, and holds back what may be its beginning.
#[derive(Debug)]
pub struct DetachScanner {
    keys: Vec<u8>,
    matched: usize,
}

impl DetachScanner {
    pub fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// Appends to `out` what the container may see of `input`; `true`: the sequence is complete.
    pub fn scan(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        if self.keys.is_empty() {
            out.extend_from_slice(input);
            return false;
        }
        for &byte in input {
            if byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    self.matched = 0;
                    return true;
                }
                continue;
            }
            // Not the sequence: what was held back goes through, as far as no shorter beginning is left of it.
            let mut held = self.keys[..self.matched].to_vec();
            held.push(byte);
            let keep = (0..held.len())
                .rev()
                .find(|&n| held.ends_with(&self.keys[..n]))
                .unwrap_or(0);
            out.extend_from_slice(&held[..held.len() - keep]);
            self.matched = keep;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_podman_spells_them() {
        let table: [(&str, Option<&[u8]>); 9] = [
            ("ctrl-p,ctrl-q", Some(&[16, 17])),
            ("", Some(&[])),
            ("a", Some(b"a")),
            (
                "ctrl-@,ctrl-[,ctrl-],ctrl-^,ctrl-_",
                Some(&[0, 27, 29, 30, 31]),
            ),
            ("ctrl-\\,x", Some(&[28, b'x'])),
            ("ctrl-", None),
            ("ctrl-pp", None),
            ("ab", None),
            ("a,,b", None),
        ];
        for (text, want) in table {
            assert_eq!(parse_keys(text).ok().as_deref(), want, "{text}");
        }
    }

    fn feed(keys: &[u8], pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut scanner = DetachScanner::new(keys.to_vec());
        let mut out = Vec::new();
        let found = pieces.iter().any(|piece| scanner.scan(piece, &mut out));
        (out, found)
    }

    #[test]
    fn the_sequence_is_found_across_pieces_and_kept_from_the_container() {
        assert_eq!(
            feed(&[16, 17], &[b"ab\x10", b"\x11cd"]),
            (b"ab".to_vec(), true)
        );
    }

    #[test]
    fn half_a_sequence_goes_through() {
        assert_eq!(
            feed(&[16, 17], &[b"a\x10", b"b"]),
            (b"a\x10b".to_vec(), false)
        );
        assert_eq!(
            feed(&[16, 17], &[b"\x10\x10\x11"]),
            (b"\x10".to_vec(), true)
        );
        assert_eq!(feed(b"aab", &[b"aaab"]), (b"a".to_vec(), true));
    }

    #[test]
    fn no_sequence_never_detaches() {
        assert_eq!(feed(&[], &[b"\x10\x11"]), (b"\x10\x11".to_vec(), false));
    }
}
