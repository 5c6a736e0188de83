//! Headers of a tar, POSIX pax (ustar with extended headers). The bytes are a function of the member alone.
//!
//! Changing what is written here changes the digest of every layer that is made again from its tree: then
//! [`super::WRITER`] must be raised and the old form kept.

use std::io::Write as _;

pub(in crate::storage) const BLOCK: usize = 512;

/// Longest value of the fields of a ustar header.
const NAME: usize = 100;
const PREFIX: usize = 155;
const OCTAL_7: u64 = 0o7_777_777;
const OCTAL_11: u64 = 0o77_777_777_777;

/// One member, without its content.
pub(in crate::storage) struct Header<'a> {
    /// Directories end in `/`.
    pub path: &'a [u8],
    /// Type flag: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` FIFO.
    pub kind: u8,
    pub link: &'a [u8],
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number.
    pub device: (u32, u32),
    /// Sorted by name.
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
}

impl Header<'_> {
    /// Appends the header, behind an extended one where the fields cannot hold all.
    pub(in crate::storage) fn write(&self, out: &mut Vec<u8>) {
        let mut pax = Vec::new();
        let (prefix, name) = match split(self.path) {
            Some(parts) => parts,
            None => {
                record(&mut pax, b"path", self.path);
                (&[][..], cut(self.path))
            }
        };
        let link = match self.link.is_ascii() && self.link.len() <= NAME {
            true => self.link,
            false => {
                record(&mut pax, b"linkpath", self.link);
                cut(self.link)
            }
        };
        if self.size > OCTAL_11 {
            record(&mut pax, b"size", self.size.to_string().as_bytes());
        }
        for (key, id) in [(&b"uid"[..], self.uid), (b"gid", self.gid)] {
            if u64::from(id) > OCTAL_7 {
                record(&mut pax, key, id.to_string().as_bytes());
            }
        }
        let seconds = u64::try_from(self.mtime.0).ok();
        let seconds = seconds.filter(|seconds| *seconds <= OCTAL_11);
        if seconds.is_none() || self.mtime.1 != 0 {
            record(&mut pax, b"mtime", decimal(self.mtime).as_bytes());
        }
        for (name, value) in self.xattrs {
            record(
                &mut pax,
                &[b"SCHILY.xattr.", name.as_slice()].concat(),
                value,
            );
        }
        if !pax.is_empty() {
            let extended = Fields {
                name: b"PaxHeaders/0",
                prefix: &[],
                link: &[],
                kind: b'x',
                mode: 0o644,
                uid: 0,
                gid: 0,
                size: pax.len() as u64,
                mtime: 0,
                device: (0, 0),
            };
            extended.write(out);
            let padded = pax.len().next_multiple_of(BLOCK);
            pax.resize(padded, 0);
            out.extend_from_slice(&pax);
        }
        let fields = Fields {
            name,
            prefix,
            link,
            kind: self.kind,
            mode: self.mode & 0o7777,
            uid: u64::from(self.uid).min(OCTAL_7),
            gid: u64::from(self.gid).min(OCTAL_7),
            size: self.size.min(OCTAL_11),
            mtime: seconds.unwrap_or(0),
            device: self.device,
        };
        fields.write(out);
    }
}

/// What ends an archive.
pub(in crate::storage) fn end(out: &mut Vec<u8>) {
    out.resize(out.len() + 2 * BLOCK, 0);
}

struct Fields<'a> {
    name: &'a [u8],
    prefix: &'a [u8],
    link: &'a [u8],
    kind: u8,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    device: (u32, u32),
}

impl Fields<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut block = [0u8; BLOCK];
        put(&mut block[0..100], self.name);
        octal(&mut block[100..108], u64::from(self.mode));
        octal(&mut block[108..116], self.uid);
        octal(&mut block[116..124], self.gid);
        octal(&mut block[124..136], self.size);
        octal(&mut block[136..148], self.mtime);
        block[148..156].fill(b' ');
        block[156] = self.kind;
        put(&mut block[157..257], self.link);
        put(&mut block[257..265], b"ustar\x0000");
        octal(&mut block[329..337], u64::from(self.device.0));
        octal(&mut block[337..345], u64::from(self.device.1));
        put(&mut block[345..500], self.prefix);
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..155], sum);
        out.extend_from_slice(&block);
    }
}

fn put(field: &mut [u8], value: &[u8]) {
    field[..value.len()].copy_from_slice(value);
}

/// Digits with leading zeros, ended by NUL; callers see to it that the value fits.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    for (place, byte) in field[..digits].iter_mut().rev().enumerate() {
        *byte = b'0' + ((value >> (3 * place)) & 7) as u8;
    }
    field[digits] = 0;
}

/// Prefix and name of a path that fits those fields; `None`: it needs an extended header.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= NAME {
        return Some((&[], path));
    }
    // A slash that leaves at most 100 bytes behind it, and something.
    let from = path.len().saturating_sub(NAME + 1);
    let to = path.len().saturating_sub(2).min(PREFIX);
    let at = (from..=to).find(|at| path[*at] == b'/')?;
    (at > 0).then(|| (&path[..at], &path[at + 1..]))
}

/// What readers that do not know extended headers see.
fn cut(path: &[u8]) -> &[u8] {
    &path[..path.len().min(NAME)]
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(pax: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let _ = write!(pax, "{length} "); // a Vec takes everything
    pax.extend_from_slice(key);
    pax.push(b'=');
    pax.extend_from_slice(value);
    pax.push(b'\n');
}

/// Seconds with as many digits behind the point as there are.
fn decimal((seconds, nanos): (i64, u32)) -> String {
    let (sign, seconds, nanos) = match (seconds < 0, nanos) {
        (false, nanos) => ("", seconds.unsigned_abs(), nanos),
        (true, 0) => ("-", seconds.unsigned_abs(), 0),
        // -1.25 s are -2 s and 750 million ns.
        (true, nanos) => ("-", seconds.unsigned_abs() - 1, 1_000_000_000 - nanos),
    };
    match nanos {
        0 => format!("{sign}{seconds}"),
        nanos => {
            let fraction = format!("{nanos:09}");
            format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_pax_has_them() {
        let cases = [
            ((0, 0), "0"),
            ((1_700_000_000, 500_000_000), "1700000000.5"),
            ((12, 1), "12.000000001"),
            ((-1, 0), "-1"),
            ((-2, 750_000_000), "-1.25"),
            ((-1, 750_000_000), "-0.25"),
        ];
        for (time, want) in cases {
            assert_eq!(decimal(time), want, "{time:?}");
        }
    }

    #[test]
    fn records_count_their_own_length() {
        for len in 0..1200 {
            let mut pax = Vec::new();
            record(&mut pax, b"path", &vec![b'x'; len]);
            let text = String::from_utf8(pax).unwrap();
            let (length, _) = text.split_once(' ').unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn long_paths_are_split_or_extended() {
        let name = |len: usize| "n".repeat(len);
        let cases = [
            (name(100), Some((0, 100))),
            (name(101), None),
            (format!("{}/{}", name(155), name(100)), Some((155, 100))),
            (format!("{}/{}", name(156), name(100)), None),
            (format!("{}/{}", name(10), name(101)), None),
            (format!("a/{}/", name(99)), Some((1, 100))),
            ("ä".to_owned(), None),
        ];
        for (path, want) in cases {
            let got = split(path.as_bytes()).map(|(prefix, name)| (prefix.len(), name.len()));
            assert_eq!(got, want, "{path}");
        }
    }
}
