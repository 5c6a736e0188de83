//! The store as its users see it, and as a killed process leaves it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::{Arc, Barrier};
use std::thread;

use super::*;
use crate::state::tests::TestDir;

fn store() -> (TestDir, Store) {
    let dir = TestDir::new();
    let store = Store::at(&dir.join("home/store")).unwrap();
    (dir, store)
}

fn ours<T: std::fmt::Debug>(stage: Stage<T>) -> T {
    match stage {
        Stage::Ours(item) => item,
        other => panic!("not ours: {other:?}"),
    }
}

fn meta(id: &ChainId) -> LayerMeta {
    LayerMeta {
        version: 1,
        diff_id: DiffId::from(*id.digest()),
        parent: None,
        blob: None,
        size: 7,
        entries: 1,
        single_id: false,
        tar: None,
        tar_size: None,
    }
}

fn chain(name: &str) -> ChainId {
    ChainId::from(Digest::sha256_of(name.as_bytes()))
}

fn put_layer(store: &Store, id: &ChainId) {
    let staged = ours(store.stage_layer(id).unwrap());
    fs::write(staged.dir().join("tree/file"), "content").unwrap();
    staged.describe(&meta(id)).unwrap();
    let lock = store.lock_structure().unwrap();
    store.publish(&lock, Vec::new(), vec![staged]).unwrap();
}

fn put_blob(store: &Store, content: &[u8]) -> Digest {
    let digest = Digest::sha256_of(content);
    let lock = store.lock_structure().unwrap();
    store.put_blob(&lock, &digest, content).unwrap();
    digest
}

fn staging_is_gone(store: &Store) -> bool {
    !store.root().join("staging").exists()
}

#[test]
fn a_new_store_is_private_and_opens_again() {
    let (_dir, store) = store();
    for name in ["", "blobs/sha256", "layers", "images", "tags", "containers"] {
        let found = fs::metadata(store.root().join(name)).unwrap();
        assert_eq!(found.mode() & 0o7777, 0o700, "{name}");
    }
    fs::set_permissions(store.root(), fs::Permissions::from_mode(0o755)).unwrap();
    Store::at(store.root()).unwrap();
    assert_eq!(fs::metadata(store.root()).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn strange_stores_are_refused_or_repaired() {
    let cases = [
        ("2", Some((Kind::Unsupported, "layout version 2"))),
        ("x", Some((Kind::Corrupt, "not a number"))),
        ("0", Some((Kind::Corrupt, "not a number"))),
        ("1", None),
    ];
    for (version, want) in cases {
        let (_dir, store) = store();
        let link = store.root().join("version");
        fs::remove_file(&link).unwrap();
        symlink(version, &link).unwrap();
        match (Store::at(store.root()), want) {
            (Ok(_), None) => {}
            (Err(err), Some((kind, text))) => {
                assert_eq!(err.kind(), kind, "{version}: {err}");
                assert!(err.to_string().contains(text), "{version}: {err}");
            }
            (got, want) => panic!("{version}: {got:?} instead of {want:?}"),
        }
    }
    // Half made, or half lost: made whole.
    let (_dir, store) = store();
    fs::remove_file(store.root().join("version")).unwrap();
    fs::remove_dir(store.root().join("images")).unwrap();
    Store::at(store.root()).unwrap();
    assert!(store.root().join("images").is_dir());
    // No directory at all.
    let (dir, _) = self::store();
    fs::write(dir.join("file"), "").unwrap();
    assert!(Store::at(&dir.join("file")).is_err());
}

#[test]
fn a_foreign_store_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return; // only root can make one
    }
    let (_dir, store) = store();
    std::os::unix::fs::chown(store.root(), Some(12345), None).unwrap();
    let err = Store::at(store.root()).unwrap_err();
    assert!(err.to_string().contains("belongs to uid 12345"), "{err}");
}

#[test]
fn documents_are_checked_when_read() {
    let (_dir, store) = store();
    let digest = put_blob(&store, b"{}");
    assert_eq!(store.read_blob(&digest, Some(2)).unwrap(), b"{}");
    assert_eq!(
        store.read_blob(&digest, Some(3)).unwrap_err().kind(),
        Kind::Corrupt
    );
    fs::write(store.path_of_blob(&digest), "[]").unwrap();
    assert_eq!(
        store.read_blob(&digest, None).unwrap_err().kind(),
        Kind::Corrupt
    );

    let huge = vec![b' '; 4 * 1024 * 1024 + 1];
    let digest = put_blob(&store, &huge);
    assert_eq!(
        store.read_blob(&digest, None).unwrap_err().kind(),
        Kind::Corrupt
    );
    let missing = Digest::sha256_of(b"missing");
    assert_eq!(
        store.read_blob(&missing, None).unwrap_err().kind(),
        Kind::NotFound
    );

    let lock = store.lock_structure().unwrap();
    let err = store.put_blob(&lock, &missing, b"other").unwrap_err();
    assert_eq!(err.kind(), Kind::Corrupt);
    assert!(!store.has_blob(&missing) && staging_is_gone(&store));
}

#[test]
fn a_sha512_blob_has_its_own_place() {
    let (_dir, store) = store();
    let hasher = crate::state::digest::Hasher::new(crate::state::digest::Algorithm::Sha512);
    let digest = hasher.chain(b"abc").finish();
    let mut staged = ours(store.stage_blob(&digest, Some(3)).unwrap());
    staged.append(b"abc").unwrap();
    let ready = staged.finish(Some(3)).unwrap();
    let lock = store.lock_structure().unwrap();
    store.publish(&lock, vec![ready], Vec::new()).unwrap();
    assert_eq!(store.read_blob(&digest, Some(3)).unwrap(), b"abc");
}

#[test]
fn a_blob_is_resumed_where_its_fetcher_died() {
    let (_dir, store) = store();
    let digest = Digest::sha256_of(b"0123456789");
    let mut staged = ours(store.stage_blob(&digest, Some(10)).unwrap());
    staged.append(b"0123").unwrap();
    drop(staged); // what a kill leaves

    let store = Store::at(store.root()).unwrap(); // the sweep keeps it
    let mut staged = ours(store.stage_blob(&digest, Some(10)).unwrap());
    assert_eq!(staged.len(), 4);
    staged.append(b"456789").unwrap();
    let ready = staged.finish(Some(10)).unwrap();
    assert!(!store.has_blob(&digest), "no name before it is published");
    store.sync().unwrap();
    let lock = store.lock_structure().unwrap();
    store.publish(&lock, vec![ready], Vec::new()).unwrap();
    assert_eq!(
        fs::read(store.path_of_blob(&digest)).unwrap(),
        b"0123456789"
    );
    assert!(staging_is_gone(&store));
    assert!(matches!(
        store.stage_blob(&digest, None).unwrap(),
        Stage::Present
    ));
}

#[test]
fn wrong_content_leaves_nothing() {
    let digest = Digest::sha256_of(b"right");
    let cases: [(&[u8], Option<u64>, &str); 3] = [
        (b"wrong", Some(5), "content has digest"),
        (b"righ", Some(5), "it has 4 bytes instead of 5"),
        (b"wrong", None, "content has digest"),
    ];
    for (content, size, want) in cases {
        let (_dir, store) = store();
        let mut staged = ours(store.stage_blob(&digest, size).unwrap());
        staged.append(content).unwrap();
        let err = staged.finish(size).unwrap_err();
        assert!(err.to_string().contains(want), "{err}");
        assert!(staging_is_gone(&store), "{want}");
    }
    // A leftover longer than the blob can be is not built upon.
    let (_dir, store) = store();
    let mut staged = ours(store.stage_blob(&digest, None).unwrap());
    staged.append(b"far too long").unwrap();
    drop(staged);
    assert!(ours(store.stage_blob(&digest, Some(5)).unwrap()).is_empty());
}

#[test]
fn two_fetchers_share_one_blob() {
    let (_dir, store) = store();
    let content = b"shared".repeat(1000);
    let digest = Digest::sha256_of(&content);
    let mut staged = ours(store.stage_blob(&digest, None).unwrap());
    assert!(matches!(
        store.try_stage_blob(&digest, None).unwrap(),
        Stage::Busy(_)
    ));
    let started = Arc::new(Barrier::new(2));
    let second = {
        let (store, started) = (store.clone(), started.clone());
        thread::spawn(move || {
            started.wait();
            matches!(store.stage_blob(&digest, None).unwrap(), Stage::Present)
        })
    };
    started.wait();
    staged.append(&content).unwrap();
    let ready = staged.finish(None).unwrap();
    let lock = store.lock_structure().unwrap();
    store.publish(&lock, vec![ready], Vec::new()).unwrap();
    assert!(second.join().unwrap(), "the second found it done");
}

#[test]
fn many_makers_make_a_layer_once() {
    let (_dir, store) = store();
    let id = chain("layer");
    let made: u32 = thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        match store.stage_layer(&id).unwrap() {
                            Stage::Present => return 0,
                            Stage::Busy(waiter) => waiter.wait().unwrap(),
                            Stage::Ours(staged) => {
                                staged.describe(&meta(&id)).unwrap();
                                let lock = store.lock_structure().unwrap();
                                store.publish(&lock, Vec::new(), vec![staged]).unwrap();
                                return 1;
                            }
                        }
                    }
                })
            })
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).sum()
    });
    assert_eq!(made, 1);
    assert_eq!(store.layer_meta(&id).unwrap(), Some(meta(&id)));
    assert!(staging_is_gone(&store));
}

#[test]
fn an_abandoned_layer_is_removed_and_can_begin_again() {
    let (_dir, store) = store();
    let id = chain("layer");
    let staged = ours(store.stage_layer(&id).unwrap());
    fs::write(staged.dir().join("tree/half"), "x").unwrap();
    drop(staged);
    assert!(staging_is_gone(&store) && !store.has_layer(&id));
    put_layer(&store, &id);
    assert!(store.has_layer(&id));
    assert_eq!(
        store.layer_dir(&id),
        std::path::Path::new("layers")
            .join(id.digest().hex())
            .join("tree")
    );
}

#[test]
fn the_sweep_removes_what_the_dead_left_and_nothing_else() {
    let (_dir, store) = store();
    let staging = store.root().join("staging");
    let alive = ours(store.stage_layer(&chain("alive")).unwrap());
    let make = |name: &str, owner: Option<&str>| {
        let item = staging.join(format!("{name}.layer"));
        fs::create_dir_all(item.join("new/tree/sub")).unwrap();
        fs::write(item.join("new/tree/sub/file"), "x").unwrap();
        fs::write(item.join("lock"), "").unwrap();
        if let Some(machine) = owner {
            let text = format!(
                "{{\"version\":1,\"machine_id\":\"{machine}\",\"boot_id\":\"b\",\"pid\":1}}"
            );
            fs::write(item.join("owner.json"), text).unwrap();
        }
    };
    make("dead", Some(&crate::state::host::machine_id()));
    make("elsewhere", Some("another-machine"));
    make("torn", None);
    fs::create_dir_all(staging.join("4999999-2.trash/deep/er")).unwrap();
    fs::create_dir(staging.join("1-2.trash")).unwrap(); // process 1 lives, and is at it
    fs::write(staging.join("dead.pin"), "").unwrap();
    fs::write(
        staging.join("foreign"),
        "unknown names are not ours to judge",
    )
    .unwrap();

    Store::at(store.root()).unwrap();
    let mut left: Vec<_> = fs::read_dir(&staging)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let alive_name = format!("{}.layer", chain("alive").digest().hex());
    let mut want = vec![
        alive_name.as_str(),
        "1-2.trash",
        "elsewhere.layer",
        "foreign",
    ];
    want.sort();
    assert_eq!(left, want);
    drop(alive);
}

#[test]
fn garbage_is_what_nothing_refers_to() {
    let (_dir, store) = store();
    let (kept, pinned, lost) = (chain("kept"), chain("pinned"), chain("lost"));
    for id in [&kept, &pinned, &lost] {
        put_layer(&store, id);
    }
    let (kept_blob, lost_blob) = (put_blob(&store, b"kept"), put_blob(&store, b"lost"));
    let pinned_blob = put_blob(&store, b"pinned");
    let lock = store.lock_structure().unwrap();
    let pin = store.pin(&lock, &[pinned_blob], &[pinned]).unwrap();
    let in_flight = ours(store.stage_layer(&chain("in flight")).unwrap());
    let keep = References {
        blobs: [kept_blob].into(),
        layers: [kept].into(),
    };
    let (report, trash) = store.collect(&lock, &keep).unwrap();
    assert_eq!(
        report,
        GcReport {
            blobs: 1,
            layers: 1,
            bytes: 4 + 7
        }
    );
    assert!(!store.has_layer(&lost), "the name goes at once");
    store.empty(trash).unwrap();
    assert!(!store.has_blob(&lost_blob));
    assert!(store.has_layer(&kept) && store.has_blob(&kept_blob));
    assert!(store.has_layer(&pinned) && store.has_blob(&pinned_blob));
    assert!(in_flight.dir().join("tree").is_dir());

    drop(pin);
    let (report, trash) = store.collect(&lock, &keep).unwrap();
    store.empty(trash).unwrap();
    assert_eq!((report.blobs, report.layers), (1, 1));
    drop(in_flight);
    assert!(staging_is_gone(&store));
}

#[test]
fn trees_are_removed_however_deep_and_shut() {
    let (dir, store) = store();
    let mut deep = store.root().join("containers/c");
    for _ in 0..300 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "").unwrap();
    fs::write(dir.join("outside"), "alive").unwrap();
    symlink(dir.join("outside"), store.root().join("containers/c/link")).unwrap();
    let shut = store.root().join("containers/c/shut");
    fs::create_dir(&shut).unwrap();
    fs::write(shut.join("file"), "").unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();

    store
        .remove_tree(&store.root().join("containers/c"))
        .unwrap();
    assert!(!store.root().join("containers/c").exists() && staging_is_gone(&store));
    assert_eq!(fs::read_to_string(dir.join("outside")).unwrap(), "alive");
    store
        .remove_tree(&store.root().join("containers/c"))
        .unwrap(); // a second time finds nothing to do
}

#[test]
fn the_staging_directory_may_go_between_any_two_calls() {
    let (_dir, store) = store();
    let make = || {
        store.in_staging(
            || "make a file",
            |staging| {
                let path = staging.join(format!("{:?}", thread::current().id()));
                fs::write(&path, "")?;
                fs::remove_file(&path)?;
                let _ = fs::remove_dir(staging); // as every command does at its end
                Ok(())
            },
        )
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..5000).try_for_each(|_| make())))
            .collect();
        for thread in threads {
            let made = thread.join().expect("no panic");
            assert!(made.is_ok(), "{made:?}");
        }
    });
}
