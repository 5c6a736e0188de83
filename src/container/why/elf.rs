//! What an ELF file says of the host it wants: machine, loader, libraries (elf(5)). The file is hostile: every offset
//! and length is checked by the reads themselves, and every list has an end.

use std::fs::File;
use std::os::unix::fs::FileExt;

const MAX_HEADERS: u16 = 128;
const MAX_DYNAMIC: u64 = 64 * 1024;
const MAX_NEEDED: usize = 256;
const MAX_TEXT: usize = 4096;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine`
    pub machine: u16,
    pub is_64: bool,
    /// The loader it names; none: it is static.
    pub interpreter: Option<String>,
    pub needed: Vec<String>,
    /// Directories of `DT_RPATH` and `DT_RUNPATH`, as they are written.
    pub paths: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    is_64: bool,
    little: bool,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

/// `None`: no ELF file, or a damaged one.
pub fn read(file: &File) -> Option<Elf> {
    let head: [u8; 64] = bytes(file, 0)?;
    if head[..4] != *b"\x7fELF" {
        return None;
    }
    let layout = Layout {
        is_64: head[4] == 2,
        little: head[5] == 1,
    };
    let word = |at: usize, len: usize| layout.number(&head[at..at + len]);
    let mut elf = Elf {
        machine: word(18, 2) as u16,
        is_64: layout.is_64,
        ..Elf::default()
    };
    let (start, size, count) = match layout.is_64 {
        true => (word(32, 8), word(54, 2), word(56, 2)),
        false => (word(28, 4), word(42, 2), word(44, 2)),
    };
    let mut segments = Vec::new();
    for index in 0..count.min(MAX_HEADERS.into()) {
        let at = start.checked_add(index.checked_mul(size)?)?;
        segments.push(layout.segment(file, at)?);
    }
    if let Some(segment) = segments.iter().find(|s| s.kind == PT_INTERP) {
        elf.interpreter = text(file, segment.offset);
    }
    if let Some(dynamic) = segments.iter().find(|s| s.kind == PT_DYNAMIC) {
        layout.dynamic(file, dynamic, &segments, &mut elf);
    }
    Some(elf)
}

impl Layout {
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match self.little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        }
    }

    fn segment(self, file: &File, at: u64) -> Option<Segment> {
        Some(if self.is_64 {
            let raw: [u8; 56] = bytes(file, at)?;
            let word = |at: usize, len: usize| self.number(&raw[at..at + len]);
            Segment {
                kind: word(0, 4),
                offset: word(8, 8),
                address: word(16, 8),
                size: word(32, 8),
            }
        } else {
            let raw: [u8; 32] = bytes(file, at)?;
            let word = |at: usize| self.number(&raw[at..at + 4]);
            Segment {
                kind: word(0),
                offset: word(4),
                address: word(8),
                size: word(16),
            }
        })
    }

    fn dynamic(self, file: &File, dynamic: &Segment, segments: &[Segment], elf: &mut Elf) {
        let width: u64 = if self.is_64 { 8 } else { 4 };
        let mut names = Vec::new();
        let mut paths = Vec::new();
        let mut table = None;
        for index in 0..dynamic.size.min(MAX_DYNAMIC) / (2 * width) {
            let Some(at) = dynamic.offset.checked_add(index * 2 * width) else {
                return;
            };
            let mut raw = [0u8; 16];
            let raw = &mut raw[..2 * width as usize];
            if file.read_exact_at(raw, at).is_err() {
                return;
            }
            let (tag, value) = raw.split_at(width as usize);
            let value = self.number(value);
            match self.number(tag) {
                0 => break,
                DT_NEEDED if names.len() < MAX_NEEDED => names.push(value),
                DT_STRTAB => table = Some(value),
                DT_RPATH | DT_RUNPATH => paths.push(value),
                _ => {}
            }
        }
        // The table's place is told by its address in memory.
        let offset = table.and_then(|address| {
            let holds = |s: &&Segment| {
                s.kind == PT_LOAD && s.address <= address && address - s.address < s.size
            };
            let segment = segments.iter().find(holds)?;
            segment.offset.checked_add(address - segment.address)
        });
        let Some(offset) = offset else { return };
        let string = |at: &u64| text(file, offset.checked_add(*at)?);
        elf.needed = names.iter().filter_map(string).collect();
        elf.paths = paths
            .iter()
            .filter_map(string)
            .flat_map(|list| list.split(':').map(str::to_owned).collect::<Vec<_>>())
            .collect();
    }
}

fn bytes<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut raw = [0u8; N];
    let mut have = 0;
    while have < N {
        match file.read_at(&mut raw[have..], at.checked_add(have as u64)?) {
            // A header shorter than the longest one: the rest is zero.
            Ok(0) if have >= 32 => break,
            Ok(0) | Err(_) => return None,
            Ok(n) => have += n,
        }
    }
    Some(raw)
}

/// A string that a nul ends.
fn text(file: &File, at: u64) -> Option<String> {
    let mut raw = vec![0u8; MAX_TEXT];
    let len = file.read_at(&mut raw, at).ok()?;
    let end = raw[..len].iter().position(|&byte| byte == 0)?;
    String::from_utf8(raw[..end].to_vec()).ok()
}

/// What people call a machine, as in an image's platform.
pub fn machine_name(machine: u16) -> String {
    match machine {
        3 => "386".to_owned(),
        8 => "mips".to_owned(),
        20 => "ppc".to_owned(),
        21 => "ppc64le".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "amd64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "riscv64".to_owned(),
        258 => "loong64".to_owned(),
        other => format!("machine {other}"),
    }
}

/// Tells whether this host's processor is of that machine, or runs its programs as well.
pub fn is_of_this_host(machine: u16) -> bool {
    let mine: &[u16] = match std::env::consts::ARCH {
        "x86_64" => &[62, 3],
        "aarch64" => &[183, 40],
        "riscv64" => &[243],
        "s390x" => &[22],
        "powerpc64" => &[21],
        _ => return true,
    };
    mine.contains(&machine)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let fd = rustix::fs::memfd_create("elf", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
        let mut file = File::from(fd);
        file.write_all(bytes).expect("memory");
        file
    }

    #[test]
    fn of_a_program_of_the_host() {
        let elf = read(&File::open("/bin/sh").expect("a shell")).expect("an ELF file");
        assert!(is_of_this_host(elf.machine), "{elf:?}");
        assert!(elf.is_64);
        if elf.interpreter.is_some() {
            assert!(
                elf.needed.iter().any(|name| name.starts_with("libc")),
                "{elf:?}"
            );
        }
    }

    #[test]
    fn damaged_files_are_none_or_say_less() {
        assert_eq!(read(&file(b"")), None);
        assert_eq!(read(&file(b"#!/bin/sh\n")), None);
        assert_eq!(read(&file(b"\x7fELF")), None);
        let whole = std::fs::read("/bin/sh").expect("a shell");
        for len in (0..whole.len().min(4096)).step_by(7) {
            let _ = read(&file(&whole[..len]));
        }
        let mut wild = whole[..whole.len().min(8192)].to_vec();
        for at in 24..wild.len().min(1024) {
            let was = std::mem::replace(&mut wild[at], 0xff);
            let _ = read(&file(&wild));
            wild[at] = was;
        }
    }
}
