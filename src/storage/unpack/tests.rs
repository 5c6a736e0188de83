//! Hostile and odd layers, made here byte by byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::*;
use crate::state::digest::Digest;
use crate::state::tests::TestDir;

/// An archive under construction.
#[derive(Default, Clone)]
struct Tar(Vec<u8>);

impl Tar {
    fn new() -> Self {
        Self::default()
    }

    fn raw(mut self, header: Header, content: &[u8]) -> Self {
        self.0.extend_from_slice(&header.block());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.raw(
            Header::new(name, b'0').size(content.len() as u64),
            content.as_bytes(),
        )
    }

    fn dir(self, name: &str) -> Self {
        self.raw(Header::new(name, b'5').mode(0o755), b"")
    }

    fn link(self, kind: u8, name: &str, target: &str) -> Self {
        self.raw(Header::new(name, kind).target(target), b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.link(b'2', name, target)
    }

    fn hard(self, name: &str, target: &str) -> Self {
        self.link(b'1', name, target)
    }

    fn pax(self, records: &[(&str, &str)]) -> Self {
        self.extended(b'x', records)
    }

    fn extended(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = format!(" {key}={value}\n");
            let mut len = rest.len() + 1;
            while len != rest.len() + len.to_string().len() {
                len = rest.len() + len.to_string().len();
            }
            text.extend_from_slice(format!("{len}{rest}").as_bytes());
        }
        self.raw(Header::new("pax", kind).size(text.len() as u64), &text)
    }

    fn zero_block(mut self) -> Self {
        self.0.resize(self.0.len() + 512, 0);
        self
    }

    fn end(self) -> Vec<u8> {
        self.zero_block().zero_block().0
    }
}

#[derive(Clone)]
struct Header {
    name: Vec<u8>,
    kind: u8,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    target: Vec<u8>,
    mtime: u64,
}

impl Header {
    fn new(name: &str, kind: u8) -> Self {
        Self {
            name: name.into(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 0,
            target: Vec::new(),
            mtime: 1_600_000_000,
        }
    }

    fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    fn owner(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    fn size(mut self, size: u64) -> Self {
        self.size = size;
        self
    }

    fn target(mut self, target: &str) -> Self {
        self.target = target.into();
        self
    }

    fn block(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        assert!(self.name.len() <= 100, "use pax for a long name");
        put(0, &self.name);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        put(108, format!("{:07o}\0", self.uid).as_bytes());
        put(116, format!("{:07o}\0", self.gid).as_bytes());
        put(124, format!("{:011o}\0", self.size).as_bytes());
        put(136, format!("{:011o}\0", self.mtime).as_bytes());
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.target);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

/// A place to unpack into, with a canary beside the tree.
struct Lab {
    dir: TestDir,
}

impl Lab {
    fn new() -> Self {
        let dir = TestDir::new();
        fs::create_dir_all(dir.join("new/tree")).unwrap();
        fs::write(dir.join("canary"), "alive").unwrap();
        fs::set_permissions(dir.join("canary"), fs::Permissions::from_mode(0o640)).unwrap();
        Self { dir }
    }

    fn tree(&self) -> PathBuf {
        self.dir.join("new/tree")
    }

    fn job(&self, blob: &[u8], want: Digest) -> LayerUnpack {
        let path = self.dir.join("blob");
        fs::write(&path, blob).unwrap();
        LayerUnpack {
            layer: Some(LayerDigest::from(Digest::sha256_of(blob))),
            blob: File::open(path).unwrap(),
            feed: FeedReader::of_complete(blob.len() as u64).unwrap(),
            into: self.dir.join("new"),
            want: Some(DiffId::from(want)),
        }
    }

    fn unpack_as(&self, tar: &[u8], owners: Owners) -> Result<Unpacked> {
        let job = self.job(tar, Digest::sha256_of(tar));
        let done = unpack_layers(vec![job], owners, &Limits::default());
        self.check_canary();
        done.map(|mut all| all.remove(0))
    }

    fn unpack(&self, tar: &[u8]) -> Result<Unpacked> {
        self.unpack_as(tar, owners())
    }

    fn check_canary(&self) {
        let canary = self.dir.join("canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        let found = fs::metadata(&canary).unwrap();
        assert_eq!((found.mode() & 0o7777, found.nlink()), (0o640, 1));
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["blob", "canary", "new"]);
    }

    /// All that is in the tree: files with their content, `-> target`, `dir`, `whiteout`, …
    fn listing(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        list(&self.tree(), &self.tree(), &mut found);
        found
    }
}

fn list(root: &Path, dir: &Path, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let text = if kind.is_dir() {
            list(root, &path, into);
            match is_opaque(&path) {
                true => "opaque dir".to_string(),
                false => "dir".to_string(),
            }
        } else if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if kind.is_char_device() && meta.rdev() == 0 {
            "whiteout".to_string()
        } else if kind.is_fifo() {
            "fifo".to_string()
        } else if meta.len() < 1000 {
            fs::read_to_string(&path).unwrap()
        } else {
            format!("{} bytes", meta.len())
        };
        let name = path.strip_prefix(root).unwrap();
        into.insert(name.to_str().unwrap().to_string(), text);
    }
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 16];
    rustix::fs::getxattr(path, "user.overlay.opaque", &mut value)
        .is_ok_and(|len| value[..len] == *b"y")
}

fn owners() -> Owners {
    match nix::unistd::geteuid().is_root() {
        true => Owners::Apply,
        false => Owners::Record,
    }
}

fn listing_of(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(name, what)| (name.to_string(), what.to_string()))
        .collect()
}

#[test]
fn layers_become_trees() {
    let long = "d/".repeat(120) + "leaf";
    type Case = (&'static str, Vec<u8>, Vec<(String, String)>);
    let want = |entries: &[(&str, &str)]| {
        entries
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect::<Vec<_>>()
    };
    let cases: Vec<Case> = vec![
        ("nothing", Tar::new().end(), want(&[])),
        (
            "no end marker",
            Tar::new().file("a", "x").0,
            want(&[("a", "x")]),
        ),
        (
            "half an end marker",
            Tar::new().file("a", "x").zero_block().0,
            want(&[("a", "x")]),
        ),
        (
            "plain",
            Tar::new()
                .dir("./")
                .dir("etc/")
                .file("etc/a", "x")
                .symlink("b", "etc/a")
                .end(),
            want(&[("etc", "dir"), ("etc/a", "x"), ("b", "-> etc/a")]),
        ),
        (
            "absolute names and inner dots",
            Tar::new()
                .file("/etc/a", "x")
                .file("./etc/./b", "y")
                .file("etc/../c", "z")
                .end(),
            want(&[("etc", "dir"), ("etc/a", "x"), ("etc/b", "y"), ("c", "z")]),
        ),
        (
            "usr-merge",
            Tar::new()
                .dir("usr/")
                .dir("usr/lib/")
                .symlink("lib", "usr/lib")
                .file("lib/x.so", "x")
                .symlink("abs", "/usr")
                .file("abs/y", "y")
                .end(),
            want(&[
                ("usr", "dir"),
                ("usr/lib", "dir"),
                ("usr/lib/x.so", "x"),
                ("usr/y", "y"),
                ("lib", "-> usr/lib"),
                ("abs", "-> /usr"),
            ]),
        ),
        (
            "usr-merge before its target",
            Tar::new()
                .symlink("lib", "usr/lib")
                .file("lib/x.so", "x")
                .end(),
            want(&[
                ("usr", "dir"),
                ("usr/lib", "dir"),
                ("usr/lib/x.so", "x"),
                ("lib", "-> usr/lib"),
            ]),
        ),
        (
            "links out of the root lead into it",
            Tar::new()
                .symlink("up", "../../../../canary-dir")
                .file("up/a", "x")
                .symlink("abs", "/tmp/pod-nowhere")
                .file("abs/b", "y")
                .end(),
            want(&[
                ("up", "-> ../../../../canary-dir"),
                ("canary-dir", "dir"),
                ("canary-dir/a", "x"),
                ("abs", "-> /tmp/pod-nowhere"),
                ("tmp", "dir"),
                ("tmp/pod-nowhere", "dir"),
                ("tmp/pod-nowhere/b", "y"),
            ]),
        ),
        (
            "a file through a link to a file replaces the link",
            Tar::new().symlink("l", "../../canary").file("l", "x").end(),
            want(&[("l", "x")]),
        ),
        (
            "a directory replaces a link of its name",
            Tar::new()
                .symlink("l", "../..")
                .raw(Header::new("l/", b'5').mode(0o777), b"")
                .file("l/a", "x")
                .end(),
            want(&[("l", "dir"), ("l/a", "x")]),
        ),
        (
            "a link replaces a directory with all in it",
            Tar::new()
                .dir("d/")
                .dir("d/e/")
                .file("d/e/a", "x")
                .symlink("d", "other")
                .file("d/b", "y")
                .end(),
            want(&[("d", "-> other"), ("other", "dir"), ("other/b", "y")]),
        ),
        (
            "a file replaces a directory and back",
            Tar::new()
                .file("d/a", "x")
                .file("d", "file")
                .file("e", "1")
                .dir("e")
                .end(),
            want(&[("d", "file"), ("e", "dir")]),
        ),
        (
            "hard links",
            Tar::new()
                .file("a", "x")
                .hard("b", "a")
                .hard("/c", "/a")
                .symlink("l", "nowhere")
                .hard("m", "l")
                .hard("a", "b")
                .hard("a", "a")
                .end(),
            want(&[
                ("a", "x"),
                ("b", "x"),
                ("c", "x"),
                ("l", "-> nowhere"),
                ("m", "-> nowhere"),
            ]),
        ),
        (
            "a hard link through a link stays in the root",
            Tar::new()
                .file("etc/hostname", "inside")
                .symlink("l", "/etc")
                .hard("x", "l/hostname")
                .end(),
            want(&[
                ("etc", "dir"),
                ("etc/hostname", "inside"),
                ("l", "-> /etc"),
                ("x", "inside"),
            ]),
        ),
        (
            "whiteouts",
            Tar::new()
                .file(".wh.gone", "")
                .file("d/.wh..wh..opq", "")
                .file("d/.wh.a", "")
                .file(".wh..wh.plnk", "")
                .end(),
            want(&[
                ("gone", "whiteout"),
                ("d", "opaque dir"),
                ("d/a", "whiteout"),
            ]),
        ),
        (
            "a whiteout does not hide what its own layer brings",
            Tar::new()
                .file("a", "x")
                .file(".wh.a", "")
                .file(".wh.b", "")
                .file("b", "y")
                .file("c/f", "z")
                .file(".wh.c", "")
                .file(".wh.d", "")
                .dir("d/")
                .end(),
            want(&[
                ("a", "x"),
                ("b", "y"),
                ("c", "opaque dir"),
                ("c/f", "z"),
                ("d", "opaque dir"),
            ]),
        ),
        (
            "a whiteout through a link stays in the root",
            Tar::new()
                .symlink("l", "../..")
                .file("l/.wh.canary", "")
                .end(),
            want(&[("l", "-> ../.."), ("canary", "whiteout")]),
        ),
        (
            "fifos are made, devices are not",
            Tar::new()
                .raw(Header::new("p", b'6').mode(0o622), b"")
                .raw(Header::new("null", b'3'), b"")
                .raw(Header::new("sda", b'4'), b"")
                .end(),
            want(&[("p", "fifo")]),
        ),
        (
            "a long name",
            Tar::new().pax(&[("path", &long)]).file("short", "x").end(),
            (1..=120)
                .map(|depth| {
                    (
                        "d/".repeat(depth).trim_end_matches('/').to_string(),
                        "dir".into(),
                    )
                })
                .chain([(long.clone(), "x".to_string())])
                .collect(),
        ),
        (
            "the size of a pax header wins",
            Tar::new()
                .pax(&[("size", "3")])
                .raw(Header::new("a", b'0').size(0), b"abc")
                .file("b", "y")
                .end(),
            want(&[("a", "abc"), ("b", "y")]),
        ),
        (
            "the size of a pax header belongs to the file, not to the long name between them",
            Tar::new()
                .pax(&[("size", "3")])
                .raw(Header::new("././@LongLink", b'L').size(5), b"long\0")
                .raw(Header::new("x", b'0').size(0), b"abc")
                .end(),
            want(&[("long", "abc")]),
        ),
        (
            "a directory as old archives spelled it",
            Tar::new().raw(Header::new("d/", b'0'), b"").end(),
            want(&[("d", "dir")]),
        ),
        (
            "a size on a hard link means nothing",
            Tar::new()
                .file("a", "x")
                .raw(Header::new("b", b'1').target("a").size(512), b"")
                .file("c", "y")
                .end(),
            want(&[("a", "x"), ("b", "x"), ("c", "y")]),
        ),
        (
            "pax sparse 1.0",
            Tar::new()
                .pax(&[
                    ("GNU.sparse.major", "1"),
                    ("GNU.sparse.minor", "0"),
                    ("GNU.sparse.name", "s"),
                    ("GNU.sparse.realsize", "8"),
                ])
                .raw(Header::new("GNUSparseFile.0/s", b'0').size(515), &{
                    let mut content = b"1\n2\n3\n".to_vec();
                    content.resize(512, 0);
                    content.extend_from_slice(b"abc");
                    content
                })
                .end(),
            want(&[("s", "\0\0abc\0\0\0")]),
        ),
    ];
    for (name, tar, want) in cases {
        let lab = Lab::new();
        let done = lab.unpack(&tar);
        assert!(done.is_ok(), "{name}: {done:?}");
        assert_eq!(lab.listing(), want.into_iter().collect(), "{name}");
    }
}

#[test]
fn doubtful_layers_are_refused() {
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "dot-dot",
            Tar::new().file("../x", "x").end(),
            "leads out of it",
        ),
        (
            "inner dot-dot",
            Tar::new().file("a/../../x", "x").end(),
            "leads out of it",
        ),
        (
            "hard link out",
            Tar::new().hard("x", "../../canary").end(),
            "leads out of it",
        ),
        (
            "hard link to nothing",
            Tar::new().hard("x", "/etc/hostname").end(),
            "no such file",
        ),
        (
            "hard link to a whiteout",
            Tar::new().file(".wh.a", "").hard("b", "a").end(),
            "no such file",
        ),
        (
            "below a file",
            Tar::new().file("a", "x").file("a/b", "y").end(),
            "Not a directory",
        ),
        (
            "links in a circle",
            Tar::new()
                .symlink("a", "b")
                .symlink("b", "a")
                .file("a/x", "")
                .end(),
            "Too many symbolic links",
        ),
        (
            "whiteout of nothing",
            Tar::new().file("d/.wh.", "").end(),
            "hides no name",
        ),
        (
            "whiteout of dot",
            Tar::new().file("d/.wh..", "").end(),
            "hides no name",
        ),
        (
            "whiteout of dot-dot",
            Tar::new().file("d/.wh...", "").end(),
            "hides no name",
        ),
        (
            "root is a file",
            Tar::new().file("./", "").file(".", "x").end(),
            "root is not a directory",
        ),
        (
            "cut before the content",
            Tar::new().file("a", "x").0[..512].to_vec(),
            "ends in the middle of a member",
        ),
        (
            "cut in the content",
            {
                let mut tar = Tar::new().file("a", &"x".repeat(2000)).0;
                tar.truncate(1024);
                tar
            },
            "ends in the middle",
        ),
        (
            "cut in a header for real",
            {
                let mut tar = Tar::new().file("a", "x").file("b", "y").0;
                tar.truncate(1200);
                tar
            },
            "ends in the middle of a header",
        ),
        (
            "a wrong checksum",
            {
                let mut tar = Tar::new().file("a", "x").end();
                tar[0] = b'b';
                tar
            },
            "checksum",
        ),
        (
            "a zero block between members",
            Tar::new().file("a", "x").zero_block().file("b", "y").end(),
            "zero block",
        ),
        (
            "a zero block behind an extended header",
            Tar::new()
                .pax(&[("path", "z")])
                .zero_block()
                .file("b", "y")
                .end(),
            "zero block",
        ),
        (
            "a global header behind an extended one",
            Tar::new()
                .pax(&[("path", "z")])
                .extended(b'g', &[("comment", "c")])
                .file("b", "y")
                .end(),
            "global header",
        ),
        (
            "a global path",
            Tar::new()
                .extended(b'g', &[("path", "z")])
                .file("b", "y")
                .end(),
            "global header",
        ),
        (
            "a size on a symbolic link",
            Tar::new()
                .raw(Header::new("l", b'2').target("t").size(512), &[b'x'; 512])
                .end(),
            "has a size",
        ),
        (
            "a size on a directory",
            Tar::new()
                .raw(Header::new("d", b'5').size(512), &[b'x'; 512])
                .end(),
            "has a size",
        ),
        (
            "a size beyond counting",
            Tar::new()
                .pax(&[("size", "18446744073709551615")])
                .file("a", "x")
                .end(),
            "impossible size",
        ),
        (
            "a size with a sign",
            Tar::new().pax(&[("size", "+1")]).file("a", "x").end(),
            "malformed size",
        ),
        (
            "a negative size",
            Tar::new().pax(&[("size", "-1")]).file("a", "x").end(),
            "malformed size",
        ),
        (
            "a user id beyond 32 bits",
            Tar::new()
                .pax(&[("uid", "4294967296")])
                .file("a", "x")
                .end(),
            "no user or group id",
        ),
        (
            "NUL in a name",
            Tar::new().pax(&[("path", "a\0b")]).file("x", "").end(),
            "NUL",
        ),
        (
            "an empty name",
            Tar::new().pax(&[("path", "")]).file("x", "").end(),
            "",
        ),
        (
            "an unknown sparse format",
            Tar::new()
                .pax(&[("GNU.sparse.major", "2"), ("GNU.sparse.minor", "0")])
                .file("s", "x")
                .end(),
            "sparse",
        ),
        (
            "overlapping sparse ranges",
            Tar::new()
                .pax(&[("GNU.sparse.map", "0,2,1,2"), ("GNU.sparse.size", "9")])
                .file("s", "abcd")
                .end(),
            "overlap",
        ),
        (
            "an unknown type",
            Tar::new().raw(Header::new("v", b'V'), b"").end(),
            "unknown type 'V'",
        ),
        (
            "a long name alone",
            Tar::new().pax(&[("path", "z")]).end(),
            "",
        ),
        (
            "a header of 80 MiB",
            Tar::new()
                .raw(
                    Header::new("pax", b'x').size(80 << 20),
                    &vec![b'a'; 80 << 20],
                )
                .end(),
            "exceeds limit",
        ),
        (
            "a path longer than any",
            Tar::new()
                .pax(&[("path", &"d/".repeat(3000))])
                .dir("x")
                .end(),
            "exceeds limit",
        ),
        (
            "a name longer than any",
            Tar::new()
                .pax(&[("path", &"n".repeat(300))])
                .file("x", "")
                .end(),
            "File name too long",
        ),
        ("not an archive", b"#!/bin/sh\necho no\n".repeat(100), ""),
    ];
    for (name, tar, want) in cases {
        let lab = Lab::new();
        let err = lab.unpack(&tar).expect_err(name);
        assert_eq!(err.kind(), Kind::Corrupt, "{name}: {err}");
        assert!(
            err.to_string().starts_with("unpack layer sha256:"),
            "{name}: {err}"
        );
        assert!(err.to_string().contains(want), "{name}: {err}");
    }
}

/// umoci 0.4 `raw add-layer` writes neither the padding of the last member nor an end marker; Go's reader takes it.
#[test]
fn an_archive_may_end_with_its_last_content() {
    for len in [513, 700, 1024] {
        let lab = Lab::new();
        lab.unpack(&Tar::new().file("a", "x").0[..len]).unwrap();
        assert_eq!(
            fs::read_to_string(lab.tree().join("a")).unwrap(),
            "x",
            "{len} bytes"
        );
    }
}

#[test]
fn modes_and_times_are_the_archives() {
    let tar = Tar::new()
        .raw(Header::new("./", b'5').mode(0o711), b"")
        .raw(Header::new("su", b'0').mode(0o4755), b"")
        .raw(Header::new("wide", b'0').mode(0o666), b"")
        .raw(Header::new("shut/", b'5').mode(0o2550), b"")
        .file("shut/a", "x")
        .raw(Header::new("tmp/", b'5').mode(0o1777), b"")
        .pax(&[("mtime", "1234567890.123456789")])
        .file("ns", "x")
        .pax(&[("mtime", "-5.5")])
        .file("old", "x")
        .symlink("l", "ns")
        .end();
    let lab = Lab::new();
    lab.unpack(&tar).unwrap();
    let modes = [
        ("", 0o711),
        ("su", 0o4755),
        ("wide", 0o666),
        ("shut", 0o2550),
        ("shut/a", 0o644),
        ("tmp", 0o1777),
    ];
    for (name, want) in modes {
        let found = fs::symlink_metadata(lab.tree().join(name)).unwrap();
        assert_eq!(found.mode() & 0o7777, want, "{name}");
    }
    let times = [
        ("", (1_600_000_000, 0)),
        ("shut", (1_600_000_000, 0)),
        ("su", (1_600_000_000, 0)),
        ("l", (1_600_000_000, 0)),
        ("ns", (1_234_567_890, 123_456_789)),
        ("old", (-6, 500_000_000)),
    ];
    for (name, want) in times {
        let found = fs::symlink_metadata(lab.tree().join(name)).unwrap();
        assert_eq!((found.mtime(), found.mtime_nsec()), want, "{name}");
    }
}

#[test]
fn global_headers_are_defaults() {
    let tar = Tar::new()
        .extended(b'g', &[("mtime", "77"), ("comment", "0123abcd")])
        .file("a", "x")
        .pax(&[("mtime", "88")])
        .file("b", "x")
        .end();
    let lab = Lab::new();
    lab.unpack(&tar).unwrap();
    for (name, want) in [("a", 77), ("b", 88)] {
        assert_eq!(
            fs::metadata(lab.tree().join(name)).unwrap().mtime(),
            want,
            "{name}"
        );
    }
}

#[test]
fn owners_are_applied_where_ids_are_mapped() {
    if !nix::unistd::geteuid().is_root() {
        return; // a plain user has no second id to give
    }
    let tar = Tar::new()
        .raw(Header::new("f", b'0').mode(0o6755).owner(12, 34), b"")
        .raw(Header::new("d", b'5').mode(0o2775).owner(5, 6), b"")
        .raw(Header::new("d/f", b'0'), b"")
        .raw(Header::new("l", b'2').target("f").owner(7, 8), b"")
        .raw(Header::new("p", b'6').owner(9, 10), b"")
        .end();
    let lab = Lab::new();
    lab.unpack_as(&tar, Owners::Apply).unwrap();
    let want = [
        ("f", 12, 34),
        ("d", 5, 6),
        ("d/f", 0, 0),
        ("l", 7, 8),
        ("p", 9, 10),
    ];
    for (name, uid, gid) in want {
        let found = fs::symlink_metadata(lab.tree().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (uid, gid), "{name}");
    }
    let found = fs::metadata(lab.tree().join("f")).unwrap();
    assert_eq!(
        found.mode() & 0o7777,
        0o6755,
        "chown takes the bits away, they must come after"
    );
}

#[test]
fn owners_are_recorded_where_there_is_one_id() {
    let tar = Tar::new()
        .raw(Header::new("f", b'0').owner(12, 34), b"")
        .file("root", "x")
        .raw(Header::new("d/", b'5').mode(0o700).owner(5, 6), b"")
        .raw(Header::new("l", b'2').target("f").owner(7, 8), b"")
        .end();
    let lab = Lab::new();
    lab.unpack_as(&tar, Owners::Record).unwrap();
    let owners = fs::read_to_string(lab.dir.join("new/owners")).unwrap();
    assert_eq!(owners, "12 34 f\x005 6 d\x007 8 l\x00");
    let me = nix::unistd::geteuid().as_raw();
    assert_eq!(fs::metadata(lab.tree().join("f")).unwrap().uid(), me);
}

#[test]
fn overlays_own_attributes_do_not_enter() {
    let tar = Tar::new()
        .pax(&[
            ("SCHILY.xattr.user.mine", "kept"),
            ("SCHILY.xattr.user.overlay.opaque", "y"),
            ("SCHILY.xattr.user.overlay.redirect", "/etc"),
            ("SCHILY.xattr.trusted.overlay.opaque", "y"),
            ("SCHILY.xattr.security.selinux", "u:r:t"),
        ])
        .dir("d")
        .pax(&[("SCHILY.xattr.user.mine", "kept")])
        .file("f", "x")
        .end();
    let lab = Lab::new();
    lab.unpack(&tar).unwrap();
    for name in ["d", "f"] {
        let mut buffer = [0; 256];
        let len = rustix::fs::listxattr(lab.tree().join(name), &mut buffer[..]).unwrap();
        let names = String::from_utf8_lossy(&buffer[..len]).into_owned();
        assert!(!names.contains("overlay"), "{name}: {names}");
        assert!(names.contains("user.mine\0"), "{name}: {names}");
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressions_are_told_by_their_bytes() {
    let tar = Tar::new()
        .file("a", "x")
        .file("b", &"y".repeat(300_000))
        .end();
    let (first, second) = tar.split_at(700);
    let blobs = [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip of two members", [gzip(first), gzip(second)].concat()),
        ("zstd", zstd::bulk::compress(&tar, 1).unwrap()),
        ("zstd of two frames", {
            let part = |part| zstd::bulk::compress(part, 1).unwrap();
            [part(first), part(second)].concat()
        }),
    ];
    for (name, blob) in blobs {
        let lab = Lab::new();
        let job = lab.job(&blob, Digest::sha256_of(&tar));
        let done = unpack_layers(vec![job], owners(), &Limits::default());
        let want = Unpacked {
            size: 300_001,
            entries: 2,
            diff_id: DiffId::from(Digest::sha256_of(&tar)),
            tar_size: tar.len() as u64,
        };
        assert_eq!(
            done.map_err(|err| err.to_string()),
            Ok(vec![want]),
            "{name}"
        );
        assert_eq!(
            lab.listing(),
            listing_of(&[("a", "x"), ("b", "300000 bytes")]),
            "{name}"
        );
    }
}

#[test]
fn damaged_blobs_are_refused() {
    let tar = Tar::new().file("a", &"xyz".repeat(100_000)).end();
    let cut = |blob: Vec<u8>| blob[..blob.len() / 2].to_vec();
    let flipped = |mut blob: Vec<u8>| {
        let at = blob.len() - 6; // in gzip's checksum
        blob[at] ^= 1;
        blob
    };
    let zstd = zstd::bulk::compress(&tar, 1).unwrap();
    let blobs = [
        ("cut gzip", cut(gzip(&tar)), "compressed data"),
        ("cut zstd", cut(zstd), "compressed data"),
        ("wrong checksum", flipped(gzip(&tar)), "compressed data"),
        ("bzip2", b"BZh91AY&SY".to_vec(), "bzip2"),
        (
            "another archive",
            gzip(&Tar::new().file("b", "y").end()),
            "has digest",
        ),
        (
            "bytes behind the end",
            [tar.clone(), vec![7; 100]].concat(),
            "has digest",
        ),
    ];
    for (name, blob, want) in blobs {
        let lab = Lab::new();
        let job = lab.job(&blob, Digest::sha256_of(&tar));
        let err = unpack_layers(vec![job], owners(), &Limits::default()).expect_err(name);
        assert!(err.to_string().contains(want), "{name}: {err}");
    }
}

#[test]
fn a_bomb_is_stopped() {
    let bomb = gzip(&Tar::new().file("zeros", &"\0".repeat(20 << 20)).end());
    let limits = Limits {
        max_ratio: 50,
        ratio_from: 1 << 20,
        ..Limits::default()
    };
    let lab = Lab::new();
    let job = lab.job(&bomb, Digest::sha256_of(b""));
    let err = unpack_layers(vec![job], owners(), &limits).unwrap_err();
    assert!(err.to_string().contains("more than 50 times"), "{err}");
    let full = Limits {
        reserve: u64::MAX,
        ..Limits::default()
    };
    let lab = Lab::new();
    let tar = Tar::new().file("a", "x").end();
    let err = unpack_layers(
        vec![lab.job(&tar, Digest::sha256_of(&tar))],
        owners(),
        &full,
    );
    let err = err.unwrap_err();
    assert_eq!(err.kind(), Kind::NoSpace, "{err}");
    assert!(
        err.remedy().is_some_and(|hint| hint.contains("left")),
        "{err:?}"
    );
}

#[test]
fn a_blob_is_unpacked_while_it_grows() {
    let tar = Tar::new()
        .file("a", &"x".repeat(400_000))
        .file("b", "y")
        .end();
    let blob = gzip(&tar);
    let lab = Lab::new();
    let mut job = lab.job(&[], Digest::sha256_of(&tar));
    let (mut writer, reader) = feed().unwrap();
    job.feed = reader;
    let path = lab.dir.join("blob");
    let unpacking =
        std::thread::spawn(move || unpack_layers(vec![job], owners(), &Limits::default()));
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    let mut written = 0;
    for part in blob.chunks(100) {
        file.write_all(part).unwrap();
        written += part.len() as u64;
        writer.valid(written).unwrap();
    }
    writer.complete(written).unwrap();
    assert_eq!(unpacking.join().unwrap().unwrap()[0].size, 400_001);
}

#[test]
fn a_failed_download_and_a_failed_layer_end_the_others() {
    let tar = Tar::new().file("a", "x").end();
    let labs = [Lab::new(), Lab::new()];
    let mut waits = labs[0].job(&tar, Digest::sha256_of(&tar));
    let (writer, reader) = feed().unwrap();
    waits.feed = reader;
    let no_tar = b"#!/bin/sh".repeat(100);
    let bad = labs[1].job(&no_tar, Digest::sha256_of(&no_tar));
    // The first layer's download never ends: only the second one's failure can end this.
    let err = unpack_layers(vec![waits, bad], owners(), &Limits::default()).unwrap_err();
    assert!(err.to_string().contains("refuse its archive"), "{err}");
    drop(writer);

    let mut gone = labs[0].job(&tar, Digest::sha256_of(&tar));
    let (writer, reader) = feed().unwrap();
    gone.feed = reader;
    writer.failed();
    let err = unpack_layers(vec![gone], owners(), &Limits::default()).unwrap_err();
    assert!(err.to_string().contains("download did not finish"), "{err}");
}

#[test]
fn depth_and_number_cost_linear_time() {
    // 1000 levels deep, and 20,000 members that each replace something: seconds would show a square.
    let deep = "d/".repeat(1000);
    let mut tar = Tar::new();
    for n in 0..20 {
        tar = tar.pax(&[("path", &format!("{deep}{n}"))]).file("x", "");
    }
    for n in 0..10_000 {
        tar = tar
            .file(&format!("many/.wh.{n}"), "")
            .file(&format!("many/{n}"), "");
    }
    // A tree deeper than there may be descriptors, replaced.
    tar = tar.file("d", "flat");
    let started = std::time::Instant::now();
    let lab = Lab::new();
    lab.unpack(&tar.end()).unwrap();
    assert_eq!(fs::read_to_string(lab.tree().join("d")).unwrap(), "flat");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
