//! What registries.conf may say, and what follows.

use super::*;

fn config(files: &[&str]) -> Result<Registries> {
    let path = Path::new("/x/registries.conf");
    let mut merged = Registries::default();
    for text in files {
        merged.merge(parse(text, path)?, path)?;
    }
    Ok(merged)
}

#[test]
fn short_names_follow_the_configuration() {
    let list = |names: &[&str]| names.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let ask = |enforced, names: &[&str]| ShortName::Ask {
        registries: list(names),
        enforced,
    };
    let two = "unqualified-search-registries = [\"a.io\", \"b.io\"]\n";
    let alias = "[aliases]\n\"x\" = \"c.io/team/x\"\n";
    let cases: [(&[&str], &str, Option<ShortName>); 10] = [
        (&[], "x", Some(ShortName::Default)),
        (&["unqualified-search-registries = []"], "x", None),
        (
            &["unqualified-search-registries = [\"a.io\"]"],
            "x",
            Some(ShortName::Search(list(&["a.io"]))),
        ),
        (&[two], "x", Some(ask(false, &["a.io", "b.io"]))),
        (
            &[two, "short-name-mode = \"disabled\""],
            "x",
            Some(ShortName::Search(list(&["a.io", "b.io"]))),
        ),
        (
            &[two, "short-name-mode = \"enforcing\""],
            "x",
            Some(ask(true, &["a.io", "b.io"])),
        ),
        (
            &[two, "unqualified-search-registries = [\"d.io\"]"],
            "x",
            Some(ShortName::Search(list(&["d.io"]))),
        ),
        (
            &[two, alias],
            "x",
            Some(ShortName::Alias("c.io/team/x".into())),
        ),
        (
            &[two, alias, "[aliases]\n\"x\" = \"\"\n"],
            "x",
            Some(ask(false, &["a.io", "b.io"])),
        ),
        (&[two, alias], "y", Some(ask(false, &["a.io", "b.io"]))),
    ];
    for (files, name, want) in cases {
        assert_eq!(
            config(files).unwrap().short_name(name).ok(),
            want,
            "{files:?} {name}"
        );
    }
}

const FILE: &str = r#"
        [[registry]]
        location = "plain.io"
        insecure = true
        [[registry]]
        prefix = "docker.io"
        location = "docker.io"
        [[registry.mirror]]
        location = "mirror.io/hub"
        insecure = true
        [[registry.mirror]]
        location = "digests.io"
        pull-from-mirror = "digest-only"
        [[registry]]
        prefix = "docker.io/team"
        location = "inner.io/team2"
        [[registry]]
        prefix = "bad.io"
        blocked = true
        location = "bad.io"
        [[registry]]
        prefix = "*.wild.io"
        insecure = true
        [[registry]]
        prefix = "port.io:5000"
        location = "other.io:6000/x"
    "#;

#[test]
fn names_lead_to_endpoints() {
    let registries = config(&[FILE]).unwrap();
    let cases: [(&str, &str, bool, &[&str]); 12] = [
        ("none.io", "a", false, &["none.io/a"]),
        ("plain.io", "a", false, &["plain.io/a!"]),
        ("plain.io:1", "a", false, &["plain.io:1/a"]),
        (
            "docker.io",
            "library/a",
            false,
            &["mirror.io/hub/library/a!", "docker.io/library/a"],
        ),
        (
            "docker.io",
            "library/a",
            true,
            &[
                "mirror.io/hub/library/a!",
                "digests.io/library/a",
                "docker.io/library/a",
            ],
        ),
        ("docker.io", "team/a", false, &["inner.io/team2/a"]),
        (
            "docker.io",
            "teamster/a",
            true,
            &[
                "mirror.io/hub/teamster/a!",
                "digests.io/teamster/a",
                "docker.io/teamster/a",
            ],
        ),
        ("a.wild.io", "x", false, &["a.wild.io/x!"]),
        ("a.b.wild.io:50", "x", false, &["a.b.wild.io:50/x!"]),
        ("wild.io", "x", false, &["wild.io/x"]),
        ("evilwild.io", "x", false, &["evilwild.io/x"]),
        ("port.io:5000", "a/b", false, &["other.io:6000/x/a/b"]),
    ];
    for (registry, repository, by_digest, want) in cases {
        let got: Vec<String> = registries
            .endpoints(registry, repository, by_digest)
            .unwrap()
            .iter()
            .map(|e| {
                format!(
                    "{}/{}{}",
                    e.registry,
                    e.repository,
                    if e.insecure { "!" } else { "" }
                )
            })
            .collect();
        assert_eq!(got, want, "{registry}/{repository}");
    }
    let err = registries.endpoints("bad.io", "a", false).unwrap_err();
    assert_eq!(
        err.to_string(),
        "registry bad.io is blocked in registries.conf"
    );
}

#[test]
fn a_drop_in_replaces_the_registry_of_its_prefix() {
    let registries = config(&[
        FILE,
        "[[registry]]\nprefix = \"bad.io\"\nlocation = \"good.io\"",
    ])
    .unwrap();
    let got = registries.endpoints("bad.io", "a", false).unwrap();
    assert_eq!(got[0].registry, "good.io");
}

#[test]
fn what_is_malformed_is_named() {
    let cases = [
        (
            "x = [",
            "read configuration \"/x/registries.conf\" line 1: ",
        ),
        (
            "short-name-mode = \"perhaps\"",
            "short-name-mode \"perhaps\" is not known",
        ),
        ("[registries.search]\nregistries = [\"a\"]", "version 1"),
        (
            "[[registry]]\ninsecure = true",
            "neither prefix nor location",
        ),
        ("[[registry]]\nlocation = \"https://a.io\"", "is a URL"),
        ("[[registry]]\nprefix = \"*.a.io/x\"", "wildcarded prefix"),
        ("[[registry]]\nprefix = \"a*.io\"", "wildcarded prefix"),
        (
            "[[registry]]\nprefix = \"a.io/x:1\"",
            "has a tag or a digest",
        ),
        (
            "[[registry]]\nlocation = \"a.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"b.io\"\npull-from-mirror = \"all\"",
            "at the same time",
        ),
        (
            "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\ninsecure = true",
            "has no location",
        ),
    ];
    for (text, want) in cases {
        let err = config(&[text]).unwrap_err().to_string();
        assert!(err.contains(want), "{text}: {err}");
    }
}
