//! Registries that fail, lie, stall, redirect and forget; policies, mirrors and certificates: what a pull makes of them.

use std::fs;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::hostile::{Fault, Hostile};
use crate::support::network::free_port;
use crate::support::process::{TIMEOUT, tool};
use crate::support::registry::{Guard, Registry};
use crate::support::{TestHome, images};

/// What every pull from a [`Hostile`] needs.
const PULL: [&str; 4] = ["pull", "-q", "--tls-verify=false", "--retry-delay=10ms"];

fn pull(image: &str) -> Vec<String> {
    PULL.iter()
        .copied()
        .chain([image])
        .map(str::to_owned)
        .collect()
}

/// Pulls, and finds everything as it should be.
#[track_caller]
fn pulls(fault: Fault) -> (TestHome, Hostile) {
    let home = TestHome::new();
    let registry = Hostile::start(fault);
    home.pod(pull(&registry.image())).ok();
    check_image(&home, &registry);
    (home, registry)
}

#[track_caller]
fn check_image(home: &TestHome, registry: &Hostile) {
    let script = "sha256sum big 2>/dev/null | cut -c1-8; stat -c %s big; echo fine";
    let run = [
        "run",
        "--rm",
        "--network=none",
        &registry.image(),
        "sh",
        "-c",
        script,
    ];
    let said = home.pod(run).ok();
    assert!(said.ends_with("fine"), "{said}");
}

/// Is refused with all of `says` and leaves nothing.
#[track_caller]
fn refused(fault: Fault, flags: &[&str], says: &[&str]) -> Hostile {
    let home = TestHome::new();
    let registry = Hostile::start(fault);
    let image = registry.image();
    let mut line = pull(&image);
    line.extend(flags.iter().map(|flag| flag.to_string()));
    let mut all = vec![image.as_str()];
    all.extend(says);
    home.refuses(line, 125, &all);
    registry
}

#[test]
fn a_layer_that_drops_goes_on_where_it_broke() {
    let (_home, registry) = pulls(Fault::Drops(4 << 20));
    let ranges: Vec<String> = registry
        .asked_for_big()
        .iter()
        .map(|seen| seen.header("range").to_owned())
        .collect();
    assert_eq!(ranges.len(), 4, "{ranges:?}");
    assert!(
        ranges[0].is_empty() && ranges[1..].iter().all(|r| r.starts_with("bytes=")),
        "{ranges:?}"
    );
    assert_eq!(registry.sent(), registry.size(), "nothing is fetched twice");
}

#[test]
fn a_layer_that_drops_without_ranges_is_fetched_again() {
    let (_home, registry) = pulls(Fault::DropsOnceWithoutRanges(4 << 20));
    assert_eq!(registry.sent(), registry.size() + (4 << 20));
}

#[test]
fn a_wrong_range_is_refused() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::WrongRange);
    let done = home.pod(pull(&registry.image())).code(125);
    assert!(done.stderr.contains("it sends another range"), "{done}");
    assert_eq!(home.pod(["images", "-aq"]).ok(), "");
    // Half of the layer is kept for a later try.
    let staging = home.path("home/.local/share/pod/staging");
    fs::remove_dir_all(staging).unwrap();
}

#[test]
fn a_stall_is_noticed_and_the_layer_goes_on() {
    let home = TestHome::new().with_env("POD_STALL_TIMEOUT", "1");
    let registry = Hostile::start(Fault::StallsOnce);
    home.pod(pull(&registry.image())).ok();
    check_image(&home, &registry);
    let asked = registry.asked_for_big();
    assert!(
        asked.len() >= 2 && !asked[1].header("range").is_empty(),
        "{asked:?}"
    );
    let registry = Hostile::start(Fault::Stalls);
    let mut line = pull(&registry.image());
    line.push("--retry=1".into());
    home.refuses(line, 125, &["no answer in time (attempt 2 of 2)"]);
}

#[test]
fn a_killed_pull_goes_on_where_it_was() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::Holds);
    let half = fs::metadata(images::busybox_layout()).map_or(0, |_| registry.size()) / 2;
    let pulling = home.spawn(pull(&registry.image()));
    registry.wait_held();
    // What was sent must have been written too: then it is half of the image.
    let part = home.path(&format!(
        "home/.local/share/pod/staging/{}.part",
        registry.big().replace(':', "-")
    ));
    let deadline = Instant::now() + TIMEOUT;
    while fs::metadata(&part).map_or(0, |found| found.len()) < 6 << 20 {
        assert!(Instant::now() < deadline, "half of the layer never arrived");
        std::thread::yield_now();
    }
    pulling.signal(Signal::SIGKILL);
    pulling.wait();
    let before = registry.sent();
    assert!(before >= half * 9 / 10, "{before} of {half}");
    assert_eq!(home.pod(["images", "-aq"]).ok(), "");
    home.pod(pull(&registry.image())).ok();
    let again = registry.sent() - before;
    assert!(
        again * 100 <= registry.size() * 55,
        "{again} of {} bytes were fetched again",
        registry.size()
    );
    check_image(&home, &registry);
    registry.release();
}

#[test]
fn a_partial_layer_that_was_damaged_is_fetched_anew() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::None);
    home.pod(["images"]).ok();
    let name = registry.big().replace(':', "-");
    let junk = "x".repeat(5 << 20);
    home.write(&format!("home/.local/share/pod/staging/{name}.part"), &junk);
    home.pod(pull(&registry.image())).ok();
    check_image(&home, &registry);
    let asked = registry.asked_for_big();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1].header("range"), "");
}

#[test]
fn two_pulls_share_one_download() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::Holds);
    let first = home.spawn(pull(&registry.image()));
    registry.wait_held();
    let second = home.spawn(["pull", "--tls-verify=false", &registry.image()]);
    second.wait_for_err("Trying to pull");
    // The second one has asked for the manifest and the config, and finds the layers taken.
    let deadline = Instant::now() + TIMEOUT;
    while registry
        .seen()
        .iter()
        .filter(|seen| seen.path.contains("/manifests/"))
        .count()
        < 2
    {
        assert!(Instant::now() < deadline, "the second pull never asked");
        std::thread::yield_now();
    }
    registry.release();
    let (first, second) = (first.wait().ok(), second.wait().ok());
    assert_eq!(first, second);
    assert_eq!(registry.asked_for_big().len(), 1);
    assert_eq!(registry.sent() - registry.size(), 0, "each layer once");
}

#[test]
fn what_passes_is_tried_again() {
    for status in [429, 500, 502, 503, 408] {
        let registry = Hostile::start(Fault::Fails(status, 2));
        let home = TestHome::new();
        let flags = ["pull", "--tls-verify=false", "--retry-delay=10ms"];
        let done = home.pod(flags.into_iter().chain([registry.image().as_str()]));
        assert_eq!(done.code, 0, "{done}");
        // Retry-After has the last word, over --retry-delay too.
        let told = match status {
            429 => "retrying in 1.0s",
            _ => "retrying in 0.0s",
        };
        assert_eq!(done.stderr.matches(told).count(), 2, "{done}");
    }
    for status in [400, 403, 404, 418, 501] {
        let registry = Hostile::start(Fault::Fails(status, 1));
        let home = TestHome::new();
        let done = home.pod(pull(&registry.image()));
        let tried_again = registry.seen().len() > 1;
        assert_eq!(
            (done.code == 0, tried_again),
            (status == 501, status == 501),
            "{done}"
        );
    }
}

#[test]
fn retries_are_as_many_as_were_asked_for() {
    for retries in [0, 1, 4] {
        let flag = format!("--retry={retries}");
        let says = match retries {
            0 => "status 500".to_owned(),
            n => format!("(attempt {0} of {0})", n + 1),
        };
        let registry = refused(Fault::Fails(500, 100), &[&flag], &[&says]);
        assert_eq!(registry.seen().len(), retries + 1);
    }
    let registry = refused(
        Fault::NotToday,
        &[],
        &["too many requests", "wait 3600 seconds"],
    );
    assert_eq!(registry.seen().len(), 1);
}

#[test]
fn tokens_are_renewed_in_the_middle_of_a_layer() {
    let (_home, registry) = pulls(Fault::ExpiringTokens);
    let seen = registry.seen();
    let tokens = seen.iter().filter(|seen| seen.path.starts_with("/token"));
    let tokens: Vec<&str> = tokens.map(|seen| seen.path.as_str()).collect();
    assert!(tokens.len() >= 4, "{tokens:?}");
    let scope = "/token?service=tests&scope=repository%3Alies%3Apull";
    assert!(tokens.iter().all(|path| *path == scope), "{tokens:?}");
}

#[test]
fn credentials_stay_at_home() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::Redirects);
    let mut line = pull(&registry.image());
    line.push("--creds=me:secret".into());
    home.pod(line.clone()).ok();
    let seen = registry.seen();
    let away: Vec<_> = seen.iter().filter(|seen| seen.elsewhere).collect();
    assert!(away.len() >= 2, "the blobs are there: {away:?}");
    assert!(
        away.iter()
            .all(|seen| seen.header("authorization").is_empty()),
        "{away:?}"
    );
    let registry = Hostile::start(Fault::RedirectsToChallenge);
    let mut line = pull(&registry.image());
    line.push("--creds=me:secret".into());
    home.pod(["rmi", "-a"]).ok();
    home.refuses(line, 125, &["authentication required"]);
    let seen = registry.seen();
    let mut away = seen.iter().filter(|seen| seen.elsewhere);
    assert!(
        away.all(|seen| seen.header("authorization").is_empty()),
        "{seen:?}"
    );
}

#[test]
fn redirects_end() {
    let registry = refused(Fault::RedirectsForEver, &[], &["redirects in a circle"]);
    assert!(registry.seen().len() < 20);
}

#[test]
fn foreign_urls_are_not_asked() {
    let (_home, registry) = pulls(Fault::ForeignUrls);
    assert!(registry.seen().iter().all(|seen| !seen.elsewhere));
}

#[test]
fn lies_are_refused() {
    let cases: [(Fault, &str); 12] = [
        (Fault::WrongLayer, "digest"),
        (Fault::WrongConfig, "its content has digest"),
        (Fault::WrongDigestHeader, "its content has digest"),
        (Fault::WrongSize, "instead of 12345"),
        (Fault::Endless, "more than the"),
        (Fault::Garbage, "not a manifest"),
        (Fault::NotAnImage, "not a container image"),
        (Fault::Huge, "more than the 4194304 allowed"),
        (Fault::Deep, "nested deeper than"),
        (Fault::Both, "both an image and an index"),
        (Fault::MediaTypeLies, "the registry calls it"),
        (Fault::Truncated, "attempt 2 of 2"),
    ];
    for (fault, says) in cases {
        refused(fault, &["--retry=1"], &[says]);
    }
}

#[test]
fn a_manifest_that_is_not_what_its_name_says() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::WrongManifest);
    let name = registry.image().replace(":latest", "");
    let name = format!("{name}@sha256:{}", "1".repeat(64));
    home.refuses(pull(&name), 125, &["its content has digest sha256:"]);
}

#[test]
fn a_tag_that_moves_gives_one_image_or_the_other() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::TagMoves);
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let id = home.pod(pull(&registry.image())).ok();
        let format = "{{.Id}} {{.Author}}";
        let said = home
            .pod(["image", "inspect", "--format", format, &registry.image()])
            .ok();
        let other = said == format!("{id} somebody else");
        assert!(other || said.trim_end() == id, "{said}");
        assert!(ids.len() < 2 || ids.contains(&id));
        ids.insert(id);
    }
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_bomb_meets_the_end_of_the_disk_and_leaves_nothing() {
    let home = TestHome::new();
    home.mkdir("home/.local");
    let script = format!(
        "mount -t tmpfs -o size=64m,mode=700,uid={} tmpfs {} && exec \"$@\"",
        home.user.uid,
        home.path("home/.local").display()
    );
    let home = home.behind(["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let registry = Hostile::start(Fault::Bomb);
    home.refuses(pull(&registry.image()), 125, &["space"]);
}

#[test]
fn a_layer_larger_than_the_disk_is_not_begun() {
    let registry = refused(
        Fault::TooLarge,
        &[],
        &["make room for 9223372036854775807 bytes"],
    );
    let asked = registry.seen();
    let blobs = asked.iter().filter(|seen| seen.path.contains("/blobs/"));
    assert_eq!(blobs.count(), 1, "the config alone: {asked:?}");
}

#[test]
fn policies_are_kept() {
    let home = TestHome::with_registry();
    let at = home.registry();
    let accept = r#"[{"type": "insecureAcceptAnything"}]"#;
    let policy = |transports: &str| {
        format!(r#"{{"default": {accept}, "transports": {{"docker": {{{transports}}}}}}}"#)
    };
    let place = "home/.config/containers/policy.json";
    home.write(
        place,
        &policy(r#""docker.io/library/busybox": [{"type": "reject"}]"#),
    );
    let rejected = "Source image rejected: Running image docker://docker.io/library/busybox:latest is rejected by policy.";
    home.refuses(["pull", "busybox"], 125, &[rejected]);
    home.refuses(
        ["run", "--rm", "-q", "--network=none", "busybox"],
        125,
        &[rejected],
    );
    home.pod(["pull", "-q", "plain"]).ok();
    // The name counts, not where a mirror or another location leads.
    home.pod(["pull", "-q", &format!("{at}/busybox")]).ok();
    home.pod(["rmi", "-a", "-f"]).ok();
    for kind in [
        r#"{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nosuch"}"#,
        r#"{"type": "sigstoreSigned", "keyPath": "/nosuch"}"#,
    ] {
        home.write(place, &policy(&format!("\"docker.io\": [{kind}]")));
        home.refuses(
            ["pull", "busybox"],
            125,
            &["which this version of pod cannot do"],
        );
    }
    for broken in ["{", "{}", r#"{"default": [], "x": 1}"#] {
        home.write(place, broken);
        home.refuses(["pull", "busybox"], 125, &["read the policy", place]);
    }
    let other = home.write("home/other.json", &policy(""));
    let flag = format!("--signature-policy={}", other.display());
    home.pod(["pull", "-q", &flag, "busybox"]).ok();
    home.refuses(
        ["pull", "--signature-policy=/nosuch", "busybox"],
        125,
        &["read /nosuch"],
    );
    // What is here already was let in before.
    home.pod(["run", "--rm", "--network=none", "busybox", "true"])
        .ok();
    fs::remove_file(home.path(place)).unwrap();
}

#[test]
fn mirrors_are_asked_first_and_told_apart_by_digest() {
    let home = TestHome::with_registry();
    let at = home.registry();
    let down = format!("127.0.0.1:{}", free_port());
    let conf = |mirrors: &str| {
        home.write(
            "home/.config/containers/registries.conf",
            &format!(
                "[[registry]]\nprefix = \"*.example.com\"\nlocation = \"{at}\"\ninsecure = true\n{mirrors}"
            ),
        );
    };
    let mirror = |location: &str, how: &str| {
        format!("[[registry.mirror]]\nlocation = \"{location}\"\ninsecure = true\n{how}\n")
    };
    let image = "r.example.com/busybox";
    // A mirror that is down is passed over, and said so.
    conf(&mirror(&down, ""));
    let done = home.pod(["pull", "--retry=0", image]);
    assert!(
        done.code == 0 && done.stderr.contains("failed, trying the next"),
        "{done}"
    );
    let digest = home
        .pod(["image", "inspect", "--format", "{{.Digest}}", image])
        .ok();
    home.pod(["rmi", "-a", "-f"]).ok();
    let lies = Hostile::start(Fault::None);
    let asked = || lies.seen().len();
    for (how, by_tag, by_digest) in [
        ("pull-from-mirror = \"digest-only\"", false, true),
        ("pull-from-mirror = \"tag-only\"", true, false),
        ("pull-from-mirror = \"all\"", true, true),
    ] {
        conf(&mirror(&lies.address(), how));
        for (image, want) in [
            (image.to_owned(), by_tag),
            (format!("{image}@{digest}"), by_digest),
        ] {
            let before = asked();
            home.pod(["pull", "-q", &image]).ok();
            assert_eq!(asked() > before, want, "{how} {image}");
            home.pod(["rmi", "-a", "-f"]).ok();
        }
    }
    // A mirror gets neither --creds nor the last word about a digest.
    let seen = lies.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization").is_empty()),
        "{seen:?}"
    );
    // One that breaks in the middle is passed over too.
    let (breaks, whole) = (
        Hostile::start(Fault::Truncated),
        Hostile::start(Fault::None),
    );
    home.write(
        "home/.config/containers/registries.conf",
        &format!(
            "[[registry]]\nprefix = \"example.com\"\nlocation = \"{}\"\ninsecure = true\n{}",
            whole.address(),
            mirror(&breaks.address(), "")
        ),
    );
    home.pod(["pull", "-q", "--retry=0", "example.com/lies"])
        .ok();
    assert!(breaks.sent() > 0 && whole.sent() > 0);
    conf("blocked = true\n");
    home.refuses(
        ["pull", image],
        125,
        &["*.example.com is blocked in registries.conf"],
    );
}

#[test]
fn short_names_follow_their_mode() {
    let home = TestHome::with_registry();
    let at = home.registry();
    let down = format!("127.0.0.1:{}", free_port());
    let conf = |text: &str| {
        let text = format!(
            "{text}\n[[registry]]\nlocation = \"{at}\"\ninsecure = true\n\
             [[registry]]\nlocation = \"{down}\"\ninsecure = true\n"
        );
        home.write("home/.config/containers/registries.conf", &text);
    };
    let two = format!("unqualified-search-registries = [\"{down}\", \"{at}\"]\n");
    let alias = format!("[aliases]\n\"mine\" = \"{at}/layers\"\n");
    let names = || home.pod(["images", "--format", "{{.Repository}}"]).ok();
    // Who sits at a terminal chooses, once: the choice is written down where Podman has it too.
    for mode in ["enforcing", "permissive"] {
        conf(&format!("{two}short-name-mode = \"{mode}\"\n"));
        let mut terminal = home.terminal(["pull", "--retry=0", "plain"]);
        let list = terminal.wait_for("Number (1): ");
        assert!(list.contains(&format!("2) {at}/plain:latest")), "{list}");
        terminal.clear();
        terminal.send("9\n");
        terminal.wait_for("Number (1): ");
        terminal.send("2\n");
        assert_eq!(terminal.wait().code, 0);
        assert_eq!(names(), format!("{at}/plain"));
        home.pod(["rmi", "-a", "-f"]).ok();
        home.pod(["pull", "-q", "plain"]).ok();
        let aliases = home.path("home/.cache/containers/short-name-aliases.conf");
        let written = fs::read_to_string(&aliases).unwrap();
        assert!(
            written.contains(&format!("plain = \"{at}/plain\"")),
            "{written}"
        );
        fs::remove_file(aliases).unwrap();
        home.pod(["rmi", "-a", "-f"]).ok();
    }
    // Without a terminal nobody can choose.
    conf(&format!("{two}short-name-mode = \"enforcing\"\n"));
    home.refuses(
        ["pull", "plain"],
        125,
        &["short-name resolution enforced", &at, &down],
    );
    conf(&format!(
        "unqualified-search-registries = [\"{at}\"]\nshort-name-mode = \"enforcing\"\n"
    ));
    home.pod(["pull", "-q", "plain"]).ok();
    assert_eq!(names(), format!("{at}/plain"));
    home.pod(["rmi", "-a", "-f"]).ok();
    for mode in ["permissive", "disabled"] {
        conf(&format!("{two}short-name-mode = \"{mode}\"\n"));
        home.pod(["pull", "-q", "--retry=0", "plain"]).ok();
        assert_eq!(names(), format!("{at}/plain"));
        home.pod(["rmi", "-a", "-f"]).ok();
    }
    conf(&format!("{two}short-name-mode = \"enforcing\"\n{alias}"));
    home.pod(["pull", "-q", "mine"]).ok();
    assert_eq!(names(), format!("{at}/layers"));
    home.pod(["rmi", "-a", "-f"]).ok();
    conf("unqualified-search-registries = []\n");
    home.refuses(
        ["pull", "plain"],
        125,
        &["did not resolve to an alias and no unqualified-search registries"],
    );
}

#[test]
fn several_images_all_tags_and_platforms() {
    let home = TestHome::with_registry();
    let done = home.pod(["pull", "busybox", "plain"]);
    assert_eq!(done.code, 0, "{done}");
    let ids: Vec<&str> = done.stdout.lines().collect();
    assert!(
        ids.len() == 2 && ids.iter().all(|id| id.len() == 64),
        "{done}"
    );
    // The good ones come in though one fails.
    let done = home.pod(["pull", "-q", "--retry=0", "zstd", "nosuch", "multi"]);
    assert_eq!((done.code, done.stdout.lines().count()), (125, 2), "{done}");
    let registry = Registry::start();
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "many", &[]);
    for tag in ["v1", "v2"] {
        let to = format!("docker://{at}/many:{tag}");
        tool([
            "skopeo",
            "copy",
            "-q",
            "--insecure-policy",
            "--dest-tls-verify=false",
            &from,
            &to,
        ]);
    }
    let all = [
        "pull",
        "-q",
        "-a",
        "--tls-verify=false",
        &format!("{at}/many"),
    ];
    assert_eq!(home.pod(all).ok().lines().count(), 3);
    let names = home
        .pod([
            "images",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            "--sort=tag",
        ])
        .ok();
    let tags = names
        .lines()
        .filter_map(|name| name.strip_prefix(&format!("{at}/many:")));
    assert_eq!(tags.collect::<Vec<_>>(), ["latest", "v1", "v2"]);
    home.refuses(
        ["pull", "-a", "--tls-verify=false", &format!("{at}/many:v1")],
        125,
        &["tag"],
    );
    let arch = |flags: &[&str]| {
        let line = ["pull", "-q"]
            .iter()
            .chain(flags)
            .chain(&["multi"])
            .copied();
        let id = home.pod(line).ok();
        home.pod(["image", "inspect", "--format", "{{.Architecture}}", &id])
            .ok()
    };
    assert_eq!(arch(&["--platform=linux/s390x"]), "s390x");
    assert_eq!(arch(&["--arch=s390x", "--os=linux"]), "s390x");
    assert_eq!(arch(&["--arch=amd64", "--variant="]), "amd64");
    assert_eq!(arch(&["--disable-content-trust"]), "amd64");
    home.refuses(
        ["pull", "--arch=sparc", "multi"],
        125,
        &["no image found in image index for architecture \"sparc\""],
    );
    home.refuses(
        ["pull", "--platform=linux/arm64", "--arch=arm64", "multi"],
        125,
        &["can not be specified with --arch or --os"],
    );
    home.refuses(
        ["pull", "--decryption-key=x", "multi"],
        125,
        &["--decryption-key is not available"],
    );
    home.refuses(
        ["pull", "--policy=perhaps", "multi"],
        125,
        &["unsupported pull policy \"perhaps\""],
    );
}

#[test]
fn client_certificates_are_shown_where_they_belong() {
    let home = TestHome::new();
    let registry = Registry::guarded(Guard {
        client_cert: true,
        tls: true,
        ..Guard::default()
    });
    let at = registry.address();
    let certs = registry.ca().parent().unwrap().to_owned();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    let dir = home.mkdir("home/certs");
    for (name, to) in [
        ("ca.crt", "ca.crt"),
        ("client.crt", "client.cert"),
        ("client.key", "client.key"),
    ] {
        let to = dir.join(to);
        fs::copy(certs.join(name), &to).unwrap();
        home.give(&to);
    }
    let shown = dir.display().to_string();
    tool([
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        &format!("--dest-cert-dir={shown}"),
        &from,
        &format!("docker://{at}/safe:latest"),
    ]);
    let image = format!("{at}/safe");
    home.refuses(
        ["pull", "-q", "--retry=0", "--tls-verify=false", &image],
        125,
        &[&image],
    );
    home.pod(["pull", "-q", "--cert-dir", &shown, &image]).ok();
    home.pod(["rmi", &image]).ok();
    let place = home.mkdir(&format!("home/.config/containers/certs.d/{at}"));
    let all = format!("{shown}/.");
    tool(["cp", "-a", &all, &place.display().to_string()]);
    home.pod(["pull", "-q", &image]).ok();
    // Without the key the certificate is of no use, and the file is named.
    fs::remove_file(place.join("client.key")).unwrap();
    home.refuses(["pull", "-q", "--retry=0", &image], 125, &["client.key"]);
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_was_put() {
    let home = TestHome::new();
    let registry = Registry::guarded(Guard {
        tls: true,
        self_signed: true,
        ..Guard::default()
    });
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "own", &[]);
    let image = format!("{at}/own");
    let place = format!("home/.config/containers/certs.d/{at}/ca.crt");
    // Another one of the same kind is none.
    let other = Registry::guarded(Guard {
        tls: true,
        self_signed: true,
        ..Guard::default()
    });
    home.write(&place, &fs::read_to_string(other.ca()).unwrap());
    home.refuses(["pull", "-q", "--retry=0", &image], 125, &["certificate"]);
    home.write(&place, &fs::read_to_string(registry.ca()).unwrap());
    home.pod(["pull", "-q", &image]).ok();
    // It is for 127.0.0.1 alone.
    let elsewhere = image.replace("127.0.0.1", "localhost");
    let dir = home.path(&place).parent().unwrap().display().to_string();
    home.refuses(
        ["pull", "-q", "--retry=0", "--cert-dir", &dir, &elsewhere],
        125,
        &["certificate"],
    );
}

#[test]
fn search_lists_what_registries_offer() {
    let home = TestHome::new();
    let registry = Registry::start();
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    for name in ["team/app", "team/other", "web"] {
        images::push(&registry, &from, name, &[]);
    }
    let search = |words: &[&str]| {
        let line = ["search", "--tls-verify=false"]
            .iter()
            .chain(words)
            .copied();
        home.pod(line)
    };
    let all = format!("{at}/");
    let wide = "NAME".len() + 2 + at.len() + "/team/other".len() - 4;
    let line = |name: &str| format!("{:wide$}", format!("{at}{name}"));
    assert_eq!(
        search(&[&all]).ok(),
        format!(
            "{:wide$}DESCRIPTION\n{}\n{}\n{}",
            "NAME",
            line("/team/app"),
            line("/team/other"),
            line("/web")
        )
    );
    let names = |words: &[&str]| {
        let words: Vec<&str> = words
            .iter()
            .chain(&["--format", "{{.Name}}"])
            .copied()
            .collect();
        search(&words).ok().replace(&at, "")
    };
    assert_eq!(names(&[&format!("{at}/team")]), "/team/app\n/team/other");
    assert_eq!(names(&["--limit=1", &all]), "/team/app");
    assert_eq!(names(&[&format!("{at}/nosuch")]), "");
    assert_eq!(names(&["--filter=stars=1", &all]), "");
    let json: serde_json::Value =
        serde_json::from_str(&search(&["--format=json", &format!("{at}/web")]).ok()).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{"Index": at, "Name": format!("{at}/web"), "Description": "", "Stars": 0,
                            "Official": "", "Automated": "", "Tag": ""}])
    );
    let web = format!("{at}/web");
    assert_eq!(
        search(&["--list-tags", &web]).ok(),
        format!("{:w$}TAG\n{web}  latest", "NAME", w = web.len() + 2)
    );
    let json = search(&["--list-tags", "--format=json", &web]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, serde_json::json!([{"Name": web, "Tags": ["latest"]}]));
    for (words, says) in [
        (
            vec!["--list-tags", &format!("{at}/nosuch")],
            "repository name not known",
        ),
        (
            vec!["--list-tags", "--filter=stars=1", &web],
            "filters are not applicable to list tags result",
        ),
        (vec!["--filter=x=1", &web], "invalid filter type \"x=1\""),
        (
            vec!["--filter=stars=a", &web],
            "incorrect value type for stars filter",
        ),
        (
            vec!["--format={{.Nope}}", &web],
            "can't evaluate field Nope",
        ),
        (vec![], "accepts 1 arg(s), received 0"),
        (
            vec!["127.0.0.1:1/x"],
            "couldn't search registry \"127.0.0.1:1\"",
        ),
    ] {
        let line = ["search", "--tls-verify=false"]
            .iter()
            .chain(&words)
            .copied();
        home.refuses(line, 125, &[says]);
    }
}

#[test]
fn search_asks_dockers_api_where_there_is_one() {
    let home = TestHome::new();
    let registry = Hostile::start(Fault::Search);
    let at = registry.address();
    let conf = format!(
        "unqualified-search-registries = [\"{at}\"]\n[[registry]]\nlocation = \"{at}\"\ninsecure = true\n"
    );
    home.write("home/.config/containers/registries.conf", &conf);
    let rows = "{{.Index}}|{{.Name}}|{{.Stars}}|{{.Official}}|{{.Automated}}|{{.Description}}";
    let long = "An application of a description longer than a table shows";
    assert_eq!(
        home.pod(["search", "--format", rows, "app"]).ok(),
        format!(
            "{at}|{at}/team/app|7||[OK]|{}...\n{at}|{at}/\u{1b}[2Jweb|100|[OK]||",
            &long[..44]
        )
    );
    let whole = home.pod(["search", "--no-trunc", "--limit=1", "app"]).ok();
    assert!(whole.contains(long) && !whole.contains("[2J"), "{whole}");
    let table = home.pod(["search", "--compatible", "app"]).ok();
    assert!(
        table
            .lines()
            .next()
            .unwrap()
            .ends_with("STARS       OFFICIAL    AUTOMATED"),
        "{table}"
    );
    for (filter, want) in [
        ("stars=10", 1),
        ("is-official", 1),
        ("is-automated=true", 1),
        ("is-official=false", 1),
        ("stars=1", 2),
    ] {
        let names = home
            .pod(["search", "--format={{.Stars}}", "--filter", filter, "app"])
            .ok();
        assert_eq!(names.lines().count(), want, "{filter}");
    }
    let shown = home.terminal(["search", "app"]).wait();
    assert!(
        shown.code == 0 && !shown.stdout.contains('\u{1b}'),
        "{shown}"
    );
    assert!(
        registry
            .seen()
            .iter()
            .any(|seen| seen.path == "/v1/search?q=app&n=25")
    );
    let none = Hostile::start(Fault::NoSearch);
    home.refuses(
        [
            "search",
            "--tls-verify=false",
            &format!("{}/app", none.address()),
        ],
        125,
        &["it offers neither that nor Docker's search"],
    );
}
