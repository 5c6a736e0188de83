//! Members of a tar stream: the parser is `tar-core`, the doubts are ours.
//!
//! Two readers must never see different members in one archive. Where tar-core 0.1.0 is more lenient than that, or
//! where readers are known to differ, the layer is refused: a size on a symbolic link, directory or device (some
//! skip that many bytes, some none), a stray zero block, a global header that swallows a local one, an unknown
//! sparse format, numbers that do not fit, names with NUL.

use tar_core::parse::{Limits, ParseEvent, ParsedEntry, Parser};
use tar_core::{EntryType, Header, PaxExtensions};

use super::inflate::{Chunk, Chunks, HEADROOM};
use crate::error::{Error, Kind, Result};

const BLOCK: usize = 512;
/// Headers of one member together: PAX data is limited to 1 MiB by the parser, sparse maps by this.
const MAX_HEADERS: usize = 4 << 20;
/// `PATH_MAX` of Linux, its final NUL not counted.
const MAX_PATH: u32 = 4095;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) enum MemberKind {
    File,
    /// Data of these ranges (offset, length), in order, in a file of `size` bytes.
    Sparse {
        ranges: Vec<(u64, u64)>,
        size: u64,
    },
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Fifo,
    Device,
}

/// A member with everything resolved: PAX over GNU over header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) struct Member {
    /// As in the archive; not yet checked for `..`.
    pub path: Vec<u8>,
    pub kind: MemberKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
    /// Bytes of content that follow in the stream.
    pub size: u64,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(in crate::storage) struct TarReader<I = ChunkInput> {
    input: I,
    parser: Parser,
    defaults: Defaults,
    /// Content and padding of the current member that were not read yet.
    content: u64,
    padding: u64,
}

/// What a global PAX header (type `g`) said: defaults for the members that follow (POSIX.1-2001 pax).
#[derive(Debug, Default)]
struct Defaults {
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<(i64, u32)>,
}

/// A window on a tar stream that can be made as long as one header needs.
pub(in crate::storage) trait Input {
    /// Makes the window at least `want` bytes long; false when the stream ends before.
    fn fill(&mut self, want: usize) -> bool;
    fn window(&self) -> &[u8];
    /// Passes over bytes of the window.
    fn advance(&mut self, len: usize);
    /// Passes over bytes of the window and hands them out.
    fn take(&mut self, len: usize) -> &[u8];

    /// Passes over bytes of the stream; returns how many were missing at its end.
    fn skip(&mut self, len: u64) -> u64 {
        let mut left = len;
        while left > 0 && self.fill(1) {
            let window = self.window().len();
            let len = window.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.advance(len);
            left -= len as u64;
        }
        left
    }
}

impl TarReader {
    pub(in crate::storage) fn new(chunks: Chunks) -> Self {
        Self::over(ChunkInput::new(chunks))
    }
}

impl<I: Input> TarReader<I> {
    pub(in crate::storage) fn over(input: I) -> Self {
        let limits = Limits {
            max_path_len: Some(MAX_PATH),
            ..Limits::default()
        };
        let mut parser = Parser::new(limits);
        // It would refuse a negative mtime, which is legal. The values are checked again below, all but that one
        // as strictly.
        parser.set_ignore_pax_errors(true);
        Self {
            input,
            parser,
            defaults: Defaults::default(),
            content: 0,
            padding: 0,
        }
    }

    pub(in crate::storage) fn input(&self) -> &I {
        &self.input
    }

    /// The next member, after skipping what was not read of the one before; `None` at the end of the archive.
    pub(in crate::storage) fn next(&mut self) -> Result<Option<Member>> {
        self.skip()?;
        let mut want = BLOCK;
        loop {
            let complete = self.input.fill(want);
            let window = self.input.window();
            if !complete && window.is_empty() {
                return Ok(None); // no end marker: legal, as for GNU tar and Go
            }
            match self.parser.parse(window).map_err(|err| refused(&err))? {
                ParseEvent::NeedData { min_bytes } => {
                    if !complete {
                        return match window.iter().all(|byte| *byte == 0) {
                            true => Ok(None), // one zero block instead of two
                            false => Err(doubt("it ends in the middle of a header")),
                        };
                    }
                    if min_bytes > MAX_HEADERS {
                        return Err(doubt("the headers of one member exceed 4 MiB"));
                    }
                    // The parser starts over with each attempt: doubling keeps the work linear.
                    let doubled = match window.len() > HEADROOM {
                        true => (2 * window.len()).min(MAX_HEADERS),
                        false => 0,
                    };
                    want = min_bytes.max(doubled);
                }
                ParseEvent::Entry { consumed, entry } => {
                    let member = member(&entry, None, &self.defaults)?;
                    return self.start(consumed, member).map(Some);
                }
                ParseEvent::SparseEntry {
                    consumed,
                    entry,
                    sparse_map,
                    real_size,
                } => {
                    let ranges = sparse_map.iter().map(|e| (e.offset, e.length)).collect();
                    let member = member(&entry, Some((ranges, real_size)), &self.defaults)?;
                    return self.start(consumed, member).map(Some);
                }
                ParseEvent::GlobalExtensions { consumed, pax_data } => {
                    // More consumed than the header itself: a local header before it, which the parser forgets.
                    if consumed != BLOCK + pax_data.len().next_multiple_of(BLOCK) {
                        return Err(doubt(
                            "a global header comes between a header and its member",
                        ));
                    }
                    self.defaults.apply(pax_data)?;
                    self.input.advance(consumed);
                    want = BLOCK;
                }
                ParseEvent::End { .. } => return Ok(None),
            }
        }
    }

    fn start(&mut self, consumed: usize, member: Member) -> Result<Member> {
        if has_stray_zeros(&self.input.window()[..consumed]) {
            return Err(doubt("a zero block stands between its members"));
        }
        self.input.advance(consumed);
        let padded = member.size.checked_next_multiple_of(BLOCK as u64);
        let padded = padded.ok_or_else(|| doubt("a member has an impossible size"))?;
        self.content = member.size;
        self.padding = padded - member.size;
        Ok(member)
    }

    /// Some of the content that was not read yet, at most `most` bytes; empty at its end.
    pub(in crate::storage) fn content(&mut self, most: u64) -> Result<&[u8]> {
        let most = most.min(self.content);
        if most > 0 && !self.input.fill(1) {
            return Err(truncated());
        }
        let window = self.input.window();
        let len = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(window.len());
        self.content -= len as u64;
        Ok(self.input.take(len))
    }

    /// Reads on to the end of the stream: what follows the archive counts for its hash.
    pub(in crate::storage) fn drain(&mut self) {
        while self.input.fill(1) {
            let len = self.input.window().len();
            self.input.advance(len);
        }
    }

    /// An archive that ends right after the content of its last member is whole: umoci 0.4 writes such.
    fn skip(&mut self) -> Result<()> {
        let padding = std::mem::take(&mut self.padding);
        let content = std::mem::take(&mut self.content);
        match self.input.skip(content + padding) {
            missing if missing > padding => Err(truncated()),
            _ => Ok(()),
        }
    }
}

impl Defaults {
    fn apply(&mut self, pax: &[u8]) -> Result<()> {
        for record in PaxExtensions::new(pax) {
            let record = record.map_err(|_| doubt("a global header is malformed"))?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"uid" => self.uid = Some(id(number("uid", value)?)?),
                b"gid" => self.gid = Some(id(number("gid", value)?)?),
                b"mtime" => self.mtime = Some(time(value)?),
                b"path" | b"linkpath" | b"size" => {
                    return Err(doubt("a global header names a path or a size"));
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(doubt("a global header describes a sparse file"));
                }
                _ => {} // comments, mostly
            }
        }
        Ok(())
    }
}

/// Tells whether a zero block precedes one of the `headers` of a member: readers differ on whether the archive ends
/// there.
fn has_stray_zeros(headers: &[u8]) -> bool {
    let mut rest = headers;
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let header = Header::from_bytes(block);
        if header.is_empty() {
            return true;
        }
        match header.entry_type() {
            EntryType::XHeader | EntryType::GnuLongName | EntryType::GnuLongLink => {
                let size = header
                    .entry_size()
                    .ok()
                    .and_then(|size| usize::try_from(size).ok());
                let padded = size.and_then(|size| size.checked_next_multiple_of(BLOCK));
                match padded.and_then(|padded| behind.get(padded..)) {
                    Some(next) => rest = next,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
    false
}

fn member(
    entry: &ParsedEntry<'_>,
    sparse: Option<(Vec<(u64, u64)>, u64)>,
    defaults: &Defaults,
) -> Result<Member> {
    let pax = Pax::check(entry.pax.unwrap_or_default())?;
    if sparse.is_none() && pax.sparse {
        return Err(doubt(
            "a member is sparse in a format that is not supported",
        ));
    }
    let mut path = entry.path.to_vec();
    while path.last() == Some(&0) {
        path.pop();
    }
    if path.is_empty() || path.contains(&0) {
        return Err(doubt("a member's name is empty or contains NUL"));
    }
    let (kind, size) = match (sparse, entry.entry_type) {
        (Some((ranges, size)), EntryType::Regular | EntryType::GnuSparse) => {
            check_ranges(&ranges, size, entry.size)?;
            (MemberKind::Sparse { ranges, size }, entry.size)
        }
        (Some(_), _) => return Err(doubt("a member is sparse and no regular file")),
        (None, EntryType::Regular | EntryType::Continuous) if path.ends_with(b"/") => {
            // How archives before POSIX spelled a directory.
            (MemberKind::Directory, header_only(entry)?)
        }
        (None, EntryType::Regular | EntryType::Continuous) => (MemberKind::File, entry.size),
        (None, EntryType::Directory) => (MemberKind::Directory, header_only(entry)?),
        (None, EntryType::Symlink) => (MemberKind::Symlink(target(entry)?), header_only(entry)?),
        // All readers agree that no content follows a hard link, whatever its size says.
        (None, EntryType::Link) => (MemberKind::HardLink(target(entry)?), 0),
        (None, EntryType::Fifo) => (MemberKind::Fifo, header_only(entry)?),
        (None, EntryType::Char | EntryType::Block) => (MemberKind::Device, header_only(entry)?),
        (None, other) => {
            let text = format!(
                "a member has the unknown type {:?}",
                char::from(other.to_byte())
            );
            return Err(doubt(&text));
        }
    };
    let mut xattrs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, value) in &entry.xattrs {
        if !name.contains(&0) {
            xattrs.push((name.to_vec(), value.to_vec()));
        }
    }
    let from_header = (i64::try_from(entry.mtime).unwrap_or(0), 0);
    Ok(Member {
        path,
        kind,
        mode: entry.mode & 0o7777,
        uid: match defaults.uid {
            Some(uid) if !pax.uid => uid,
            _ => id(entry.uid)?,
        },
        gid: match defaults.gid {
            Some(gid) if !pax.gid => gid,
            _ => id(entry.gid)?,
        },
        mtime: pax.mtime.or(defaults.mtime).unwrap_or(from_header),
        size,
        xattrs,
    })
}

/// Readers differ on whether content follows such a member when its size says so.
fn header_only(entry: &ParsedEntry<'_>) -> Result<u64> {
    match entry.size {
        0 => Ok(0),
        _ => Err(doubt("a directory, link or device has a size")),
    }
}

fn target(entry: &ParsedEntry<'_>) -> Result<Vec<u8>> {
    match entry.link_target.as_deref() {
        Some(target) if !target.is_empty() && !target.contains(&0) => Ok(target.to_vec()),
        _ => Err(doubt("a link has no target, or one with NUL")),
    }
}

/// In order, without overlap, inside the file, and as long together as the content that follows.
fn check_ranges(ranges: &[(u64, u64)], size: u64, content: u64) -> Result<()> {
    let mut end = 0_u64;
    let mut sum = 0_u64;
    for (offset, length) in ranges {
        if *offset < end {
            return Err(doubt("the ranges of a sparse member overlap"));
        }
        let next = offset.checked_add(*length);
        end = next.ok_or_else(|| doubt("a range of a sparse member is too large"))?;
        sum = sum.saturating_add(*length);
    }
    if end > size || sum != content || i64::try_from(size).is_err() {
        return Err(doubt("the ranges of a sparse member do not fit its size"));
    }
    Ok(())
}

/// What we must know of a local PAX header beyond what the parser tells.
#[derive(Debug, Default)]
struct Pax {
    uid: bool,
    gid: bool,
    mtime: Option<(i64, u32)>,
    sparse: bool,
}

impl Pax {
    fn check(pax: &[u8]) -> Result<Self> {
        let mut found = Pax::default();
        for record in PaxExtensions::new(pax) {
            let record = record.map_err(|_| doubt("an extended header is malformed"))?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"uid" => {
                    number("uid", value)?;
                    found.uid = true;
                }
                b"gid" => {
                    number("gid", value)?;
                    found.gid = true;
                }
                b"size" => {
                    number("size", value)?;
                }
                b"mtime" => found.mtime = Some(time(value)?),
                b"GNU.sparse.name" => found.sparse = true,
                b"GNU.sparse.map" => {
                    found.sparse = true;
                    if !value.iter().all(|c| c.is_ascii_digit() || *c == b',') {
                        return Err(doubt("a sparse map is malformed"));
                    }
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    found.sparse = true;
                    number("sparse", value)?;
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Digits only: neither sign nor blank, on which readers differ.
fn number(what: &str, value: &[u8]) -> Result<u64> {
    let digits = std::str::from_utf8(value).ok();
    digits
        .filter(|text| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| doubt(&format!("an extended header has a malformed {what}")))
}

fn id(value: u64) -> Result<u32> {
    match u32::try_from(value) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(doubt(&format!("{value} is no user or group id"))),
    }
}

/// Decimal seconds with a fraction and maybe a sign (pax, mtime); digits beyond nanoseconds are cut off.
fn time(value: &[u8]) -> Result<(i64, u32)> {
    parse_time(value).ok_or_else(|| doubt("an extended header has a malformed mtime"))
}

fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: u32 = format!("{fraction:0<9.9}").parse().ok()?;
    match (negative, nanos) {
        (false, _) => Some((seconds, nanos)),
        (true, 0) => Some((-seconds, 0)),
        (true, _) => Some((-seconds - 1, 1_000_000_000 - nanos)),
    }
}

fn refused(err: &tar_core::parse::ParseError) -> Error {
    Error::new(Kind::Corrupt, format!("refuse its archive: {err}"))
}

fn doubt(what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("refuse its archive: {what}"))
}

fn truncated() -> Error {
    doubt("it ends in the middle of a member")
}

/// The stream of chunks that the inflating thread makes.
pub(in crate::storage) struct ChunkInput {
    chunks: Chunks,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input for ChunkInput {
    fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn advance(&mut self, len: usize) {
        self.start += len;
    }

    fn take(&mut self, len: usize) -> &[u8] {
        let start = self.start;
        self.start += len;
        &self.buffer[start..start + len]
    }

    fn fill(&mut self, want: usize) -> bool {
        while self.end - self.start < want {
            let Some(next) = self.chunks.next() else {
                return false;
            };
            self.append(next);
        }
        true
    }
}

impl ChunkInput {
    fn new(chunks: Chunks) -> Self {
        Self {
            chunks,
            buffer: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// What is left goes before the new chunk where there is room, which is nearly always; else behind each other.
    fn append(&mut self, mut next: Chunk) {
        let left = self.end - self.start;
        if left <= next.start {
            let start = next.start - left;
            next.buffer[start..next.start].copy_from_slice(&self.buffer[self.start..self.end]);
            let old = std::mem::replace(&mut self.buffer, next.buffer);
            self.chunks.reuse(old);
            (self.start, self.end) = (start, next.end);
        } else {
            self.buffer.truncate(self.end);
            self.buffer.drain(..self.start);
            self.buffer
                .extend_from_slice(&next.buffer[next.start..next.end]);
            (self.start, self.end) = (0, self.buffer.len());
            self.chunks.reuse(next.buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        let cases: [(&str, Option<(i64, u32)>); 10] = [
            ("0", Some((0, 0))),
            ("1700000000.5", Some((1_700_000_000, 500_000_000))),
            ("12.000000001", Some((12, 1))),
            ("12.0000000019", Some((12, 1))),
            ("-1", Some((-1, 0))),
            ("-1.25", Some((-2, 750_000_000))),
            ("12.", Some((12, 0))),
            ("", None),
            (".5", None),
            ("1e3", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_time(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn sparse_ranges_are_checked() {
        type Case<'a> = (&'a [(u64, u64)], u64, u64, bool);
        let cases: [Case<'_>; 7] = [
            (&[], 0, 0, true),
            (&[(0, 10), (20, 5)], 100, 15, true),
            (&[(20, 5), (0, 10)], 100, 15, false),
            (&[(0, 10), (5, 10)], 100, 20, false),
            (&[(0, 10)], 5, 10, false),
            (&[(0, 10)], 100, 11, false),
            (&[(u64::MAX, 2)], u64::MAX, 2, false),
        ];
        for (ranges, size, content, want) in cases {
            let got = check_ranges(ranges, size, content).is_ok();
            assert_eq!(got, want, "{ranges:?} in {size}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        for (text, want) in [
            ("12", true),
            ("", false),
            ("+1", false),
            ("-1", false),
            (" 1", false),
        ] {
            assert_eq!(number("size", text.as_bytes()).is_ok(), want, "{text:?}");
        }
        assert!(number("size", b"99999999999999999999").is_err());
        assert!(id(u64::from(u32::MAX)).is_err());
    }
}
