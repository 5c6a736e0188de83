//! `images history tree tag untag rmi prune df`: images that are in the store.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{TestHome, family, tool};

/// Short names of the images listed, in their order.
#[track_caller]
fn listed(home: &TestHome, args: &[&str]) -> Vec<String> {
    let words = ["images", "--format", "{{.Repository}}"].iter().chain(args);
    let rows = home.pod(words.copied()).ok();
    let short = |row: &str| row.rsplit('/').next().unwrap_or(row).to_owned();
    rows.lines().map(short).collect()
}

#[test]
fn the_table_its_columns_and_its_orders() {
    let (home, ids) = family::home_with(&family::NAMES);
    home.pod(["tag", "base", "aaa:2", "aaa:1"]).ok();
    let table = home.pod(["images"]).ok();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        rows[0],
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    );
    assert_eq!(
        rows[1][..3],
        ["docker.io/library/top", "latest", &ids[3][..12]]
    );
    assert_eq!(rows[1][4], "60 kB");
    let last = rows.last().unwrap();
    assert_eq!(
        last[..4],
        ["docker.io/library/alone", "latest", &ids[4][..12], "N/A"]
    );

    assert_eq!(
        listed(&home, &[]),
        ["top", "set", "mid", "base", "aaa", "aaa", "alone"]
    );
    assert_eq!(
        listed(&home, &["--sort=repository"]),
        ["alone", "base", "mid", "set", "top", "aaa", "aaa"]
    );
    assert_eq!(
        listed(&home, &["--sort", "size"]),
        ["base", "aaa", "aaa", "mid", "set", "alone", "top"]
    );
    let tags = home
        .pod(["images", "--sort=tag", "--format", "{{.Tag}}"])
        .ok();
    assert!(tags.starts_with("1\n2\nlatest"), "{tags}");
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    let quiet = home.pod(["images", "-q", "--no-trunc", "--sort=id"]).ok();
    let want: Vec<String> = sorted.iter().map(|id| format!("sha256:{id}")).collect();
    assert_eq!(quiet.lines().collect::<Vec<_>>(), want);

    let wide = home
        .pod([
            "images",
            "--digests",
            "--history",
            "--noheading",
            "localhost/aaa:1",
        ])
        .ok();
    let cells: Vec<&str> = wide
        .split("  ")
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .collect();
    assert_eq!(cells[..2], ["localhost/aaa", "1"], "{wide}");
    assert!(
        cells[2].starts_with("sha256:") && cells[2].len() == 71,
        "{wide}"
    );
    assert_eq!(
        cells[6],
        "localhost/aaa:1, localhost/aaa:2, docker.io/library/base:latest"
    );
    let empty = home.pod(["images", "nosuch"]).ok();
    assert_eq!(
        empty,
        "REPOSITORY  TAG         IMAGE ID    CREATED     SIZE"
    );
}

#[test]
fn filters() {
    let (home, ids) = family::home_with(&family::NAMES);
    home.pod(["tag", "mid", "quay.example/team/app:1.2"]).ok();
    home.pod(["create", "--network=none", "base"]).ok();
    let digest = home
        .pod(["image", "inspect", "-f", "{{.Digest}}", "top"])
        .ok();
    let id = format!("id={}", &ids[0][..10]);
    let by_digest = format!("digest={}", &digest[..20]);
    let whole = format!("reference=docker.io/library/top@{digest}");
    let all = ["top", "set", "mid", "app", "base", "alone"];
    let not = |names: &[&str]| -> Vec<&str> {
        all.into_iter()
            .filter(|name| !names.contains(name))
            .collect()
    };
    let table: Vec<(&str, Vec<&str>)> = vec![
        ("since=mid", vec!["top", "set"]),
        ("after=mid", vec!["top", "set"]),
        ("since!=mid", not(&["top", "set"])),
        ("before=set", vec!["mid", "app", "base", "alone"]),
        ("before=set since=base", vec!["mid", "app"]),
        ("until=2025-01-01", vec!["base", "alone"]),
        ("until=1ns", all.to_vec()),
        ("label=a", vec!["set", "base"]),
        ("label=a=1", vec!["base"]),
        ("label=a label=org.example/name", vec!["base"]),
        ("label=org.*", vec!["base"]),
        ("label!=a", vec!["top", "mid", "app", "alone"]),
        ("label!=a=1", not(&["base"])),
        ("containers=true", vec!["base"]),
        ("containers=false", not(&["base"])),
        ("containers=external", not(&["base"])),
        ("dangling=true", vec![]),
        ("dangling=false", all.to_vec()),
        ("dangling!=false", vec![]),
        ("intermediate=true", vec![]),
        ("manifest=true", vec![]),
        ("manifest=false", all.to_vec()),
        ("readonly=true", vec![]),
        ("readonly=false", all.to_vec()),
        (&id, vec!["base"]),
        ("id=nosuch", vec![]),
        (&by_digest, vec!["top"]),
        ("reference=top", vec!["top"]),
        ("reference=t?p", vec!["top"]),
        ("reference=[st]*", vec!["top", "set"]),
        // `mid` has a name outside of the library, and both names are one image.
        ("reference=*/*/*:latest", all.to_vec()),
        ("reference=library/*", all.to_vec()),
        ("reference=top reference=base", vec!["top", "base"]),
        ("reference!=library/*", vec![]),
        ("reference!=*o*", vec!["set", "mid", "app", "base"]),
        ("reference=* reference!=top", not(&["top"])),
        ("reference=app:1.2", vec!["mid", "app"]),
        ("reference=quay.example/team/app:1.2", vec!["app"]),
        ("reference=nosuch", vec![]),
        (&whole, vec!["top"]),
    ];
    for (filters, want) in table {
        let args: Vec<&str> = filters
            .split(' ')
            .flat_map(|filter| ["-f", filter])
            .collect();
        assert_eq!(listed(&home, &args), want, "{filters:?}");
    }
    assert_eq!(listed(&home, &["quay.example/team/app:1.2"]), ["app"]);
    assert_eq!(listed(&home, &["team/app:1.2"]), ["mid", "app"]);
}

#[test]
fn bad_input_is_refused_in_podmans_words() {
    let (home, ids) = family::home_with(&["base"]);
    let long = format!("sha256:{}", "0".repeat(64));
    let of = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let table: Vec<(Vec<String>, i32, String)> = vec![
        (of("images a b"), 125, "accepts at most 1 arg(s), received 2".into()),
        (of("images -f id=1 a"), 125, "cannot specify an image and a filter(s)".into()),
        (of("images -f foo=bar"), 125, "invalid image filter \"foo\": must be in the format \"filter=value or filter!=value\"".into()),
        (of("images -f foo"), 125, "invalid image filter \"foo\": must be in the format \"filter=value or filter!=value\"".into()),
        (of("images -f dangling=x"), 125, "non-boolean value \"x\" for dangling filter: strconv.ParseBool: parsing \"x\": invalid syntax".into()),
        (of("images -f dangling=true -f dangling=false"), 125, "specifying \"dangling\" filter more than once with different values is not supported".into()),
        (of("images -f containers=x"), 125, "unsupported value \"x\" for containers filter".into()),
        (of("images -f digest=x"), 125, "invalid value \"x\" for digest filter".into()),
        (of("images -f since=nosuch"), 125, "could not find local image for filter \"since\"=\"nosuch\": nosuch: image not known".into()),
        (of("images -f until=soon"), 125, "failed to parse value as time or duration: \"soon\"".into()),
        (of("images --format {{.Nope}}"), 125, "template: images:1:13: executing \"images\" at <.Nope>: can't evaluate field Nope in type images.imageReporter".into()),
        (of("images --format {{.ID"), 125, "template: images:".into()),
        (of("images --sort x"), 125, "invalid argument \"x\" for \"--sort\" flag: \"x\" is not a valid value.  Choose from: \"created, id, repository, size, tag\"".into()),
        (of("images --nope"), 125, "unknown flag: --nope".into()),
        (of("history"), 125, "accepts 1 arg(s), received 0".into()),
        (of("history a b"), 125, "accepts 1 arg(s), received 2".into()),
        (of("history nosuch"), 125, "nosuch: image not known".into()),
        (of("history --format {{.Nope}} base"), 125, "template: history:1:13: executing \"history\" at <.Nope>: can't evaluate field Nope in type images.historyReporter".into()),
        (of("image tree nosuch"), 125, "nosuch: image not known".into()),
        (of("image tree"), 125, "accepts 1 arg(s), received 0".into()),
        (of("tag base"), 125, "requires at least 2 arg(s), only received 1".into()),
        (of("tag nosuch x"), 125, "nosuch: image not known".into()),
        (of("tag base x:y:z"), 125, "normalizing name \"x:y:z\": ".into()),
        (of("tag base BIG"), 125, "normalizing name \"BIG\": ".into()),
        (vec!["tag".into(), "base".into(), long.clone()], 125, "tag by digest not supported".into()),
        (vec!["tag".into(), "base".into(), format!("x@{long}")], 125, "tag by digest not supported".into()),
        (of("untag"), 125, "requires at least 1 arg(s), only received 0".into()),
        (of("untag nosuch"), 125, "nosuch: image not known".into()),
        (of("untag base nosuch"), 125, "localhost/nosuch:latest: tag not known".into()),
        (vec!["untag".into(), "base".into(), long.clone()], 125, "untag by digest not supported".into()),
        (of("rmi"), 125, "image name or ID must be specified".into()),
        (of("rmi -a x"), 125, "when using the --all switch, you may not pass any images names or IDs".into()),
        (of("rmi nosuch"), 1, "nosuch: image not known".into()),
        (vec!["rmi".into(), long], 1, "image not known".into()),
        (of("image prune x"), 125, "`pod image prune` takes no arguments".into()),
        (of("image prune -f --filter x"), 125, "filter input must be in the form of filter=value: x is invalid".into()),
        (of("image prune -f --filter x=y"), 125, "invalid image filter \"x\"".into()),
        (of("system df -v --format json"), 125, "cannot combine --format and --verbose flags".into()),
        (of("system df --format {{.Nope}}"), 125, "template: df:1:13: executing \"df\" at <.Nope>: can't evaluate field Nope in type *system.dfSummary".into()),
        (of("image sign base"), 125, "command `pod image sign` is not available in this version of pod".into()),
        (of("image trust show"), 125, "is not available in this version of pod".into()),
        (of("image scp base host::"), 125, "command `pod image scp` is not available in this version of pod".into()),
        (of("inspect --type nope base"), 125, "invalid type \"nope\": must be \"image\", \"container\", \"pod\", \"network\", \"volume\", \"artifact\", or \"all\"".into()),
    ];
    for (args, code, says) in table {
        let done = home.pod(args.clone()).code(code);
        assert!(
            done.stderr.starts_with("Error: ") && done.stderr.contains(&says),
            "want {says}\n{done}"
        );
        assert_eq!(done.stdout, "", "{done}");
    }
    let done = home.pod(["image", "inspect", "nosuch"]).code(125);
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        ("[]\n", "Error: nosuch: image not known\n")
    );
    let done = home.pod(["image", "exists"]).code(125);
    assert!(
        done.stderr.contains("accepts 1 arg(s), received 0"),
        "{done}"
    );
    assert_eq!(home.pod(["images", "-q"]).ok(), ids[0][..12]);
    for group in ["image", "image trust"] {
        let done = home.pod(of(group)).code(125);
        assert!(done.stderr.contains("Error: "), "{done}");
    }
}

#[test]
fn an_ambiguous_id_names_no_image() {
    let (home, ids) = family::home_with(&family::NAMES);
    // Of five ids two may begin alike; if none do, the test of a unique beginning is all there is.
    let first = |id: &str| id[..1].to_owned();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for id in &ids {
        *count.entry(first(id)).or_default() += 1;
    }
    for id in &ids {
        let done = home.pod(["image", "inspect", "-f", "{{.Id}}", &first(id)]);
        match count[&first(id)] {
            1 => assert_eq!(done.ok(), *id),
            _ => assert!(done.code(125).stderr.contains("ambiguous")),
        }
    }
}

#[test]
fn templates_know_every_field() {
    let (home, ids) = family::home_with(&["base", "mid"]);
    home.pod(["create", "--network=none", "mid"]).ok();
    let of = |template: &str, name: &str| home.pod(["images", "--format", template, name]).ok();
    let digest = home
        .pod(["image", "inspect", "-f", "{{.Digest}}", "mid"])
        .ok();
    for (template, want) in [
        ("{{.ID}}", ids[1][..12].to_owned()),
        ("{{.Id}}", ids[1].clone()),
        (
            "{{.Repository}}:{{.Tag}}",
            "docker.io/library/mid:latest".into(),
        ),
        ("{{.Digest}}", digest.clone()),
        (
            "{{.RepoDigests}}",
            format!("[docker.io/library/mid@{digest}]"),
        ),
        (
            "{{.RepoTags}} {{.Names}}",
            "[docker.io/library/mid:latest] [docker.io/library/mid:latest]".into(),
        ),
        ("{{.CreatedAt}}", "2025-06-01 00:00:00 +0000 UTC".into()),
        ("{{.CreatedTime}}", "2025-06-01 00:00:00 +0000 UTC".into()),
        (
            "{{.Size}} {{.VirtualSize}} {{.SharedSize}}",
            "30 kB 30000 0".into(),
        ),
        (
            "{{.Containers}} {{.Dangling}} {{.IsDangling}}",
            "1 false false".into(),
        ),
        (
            "{{.ReadOnly}} {{.IsReadOnly}} {{.IsManifestList}}",
            "false false false".into(),
        ),
        ("{{.ParentId}}", ids[0].clone()),
        ("{{.Arch}}/{{.Os}}", "amd64/linux".into()),
        ("{{.History}}", "docker.io/library/mid:latest".into()),
        ("{{.Labels}}", "map[]".into()),
    ] {
        assert_eq!(of(template, "mid"), want, "{template}");
    }
    let ages = of("{{.Created}}|{{.CreatedSince}}", "mid");
    assert!(ages.contains(" ago|"), "{ages}");
    assert_eq!(of("{{.Labels.a}} {{index .Labels \"a\"}}", "base"), "1 1");
    let table = of("table {{.ID}} {{.ReadOnly}} {{.ParentId}}", "base");
    assert!(
        table.starts_with("IMAGE ID      R/O         PARENT ID\n"),
        "{table}"
    );
    let steps = home.pod([
        "image",
        "inspect",
        "-f",
        "{{range .History}}{{.CreatedBy}};{{end}} {{.ID}} {{json .RootFS.Type}}",
        "base",
    ]);
    assert_eq!(steps.ok(), format!("ADD rootfs; {} \"layers\"", ids[0]));
}

/// Paths of a JSON document with the type of each value; of a list its first element.
fn keys(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    found.insert(path.to_owned(), kind);
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| keys(item, &format!("{path}[]"), found)),
        Value::Object(map) => map
            .iter()
            .for_each(|(key, item)| keys(item, &format!("{path}.{key}"), found)),
        _ => {}
    }
}

#[test]
fn json_has_the_keys_types_and_values_of_podman() {
    let (home, _) = family::home_with(&family::NAMES);
    let scratch = home.mkdir("podman").display().to_string();
    let podman = |args: &[&str]| {
        let (root, run) = (format!("{scratch}/root"), format!("{scratch}/run"));
        let fixed = [
            "podman",
            "--root",
            &root,
            "--runroot",
            &run,
            "--storage-driver",
            "vfs",
            "--runtime",
            "runc",
            "--cgroup-manager",
            "cgroupfs",
            "--events-backend",
            "none",
        ];
        tool(fixed.iter().chain(args).copied())
    };
    for name in family::NAMES {
        let from = format!("{}/{name}", home.registry());
        podman(&["pull", "-q", "--tls-verify=false", &from]);
        let to = format!("docker.io/library/{name}");
        podman(&["tag", &from, &to]);
        podman(&["untag", &to, &from]);
    }
    for name in family::NAMES {
        for args in [
            vec!["image", "inspect", name],
            vec!["inspect", "--type=image", name],
            vec!["images", "--format=json", name],
            vec!["history", "--format=json", name],
        ] {
            let parse = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
            let (mut theirs, mut ours) = (
                parse(podman(&args)),
                parse(home.pod(args.iter().copied()).ok()),
            );
            let both = |theirs: &Value, ours: &Value| {
                let (mut want, mut got) = (BTreeMap::new(), BTreeMap::new());
                keys(theirs, "", &mut want);
                keys(ours, "", &mut got);
                (want, got)
            };
            let (mut want, mut got) = both(&theirs, &ours);
            for found in [&mut want, &mut got] {
                // Where layers are is the storage's own affair; podman 5 tells tags of history, 4 does not.
                found.retain(|path, _| {
                    !path.contains(".GraphDriver.Data") && !path.contains("].tags")
                });
            }
            assert_eq!(want, got, "{args:?}");
            for document in [&mut theirs, &mut ours] {
                for item in document.as_array_mut().unwrap() {
                    for key in [
                        "Size",
                        "VirtualSize",
                        "size",
                        "GraphDriver",
                        "NamesHistory",
                        "tags",
                    ] {
                        item.as_object_mut().unwrap().remove(key);
                    }
                    if args[0] == "images" {
                        item.as_object_mut().unwrap().remove("History");
                    }
                    if args[0] == "history" {
                        item.as_object_mut().unwrap().remove("id");
                    }
                    if name == "alone" {
                        // Without a time of its own podman shows when it was pulled.
                        for key in ["Created", "CreatedAt"] {
                            item.as_object_mut().unwrap().remove(key);
                        }
                    }
                }
            }
            assert_eq!(theirs, ours, "{args:?}");
        }
    }
    // The order of keys too.
    let order = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("          \"") && !line.starts_with("           "))
            .map(|line| line.split('"').nth(1).unwrap().to_owned())
            .collect()
    };
    let theirs = order(&podman(&["image", "inspect", "set"]));
    assert_eq!(theirs, order(&home.pod(["image", "inspect", "set"]).ok()));
    tool(["rm", "-rf", &scratch]);
}

#[test]
fn parents_children_dangling_and_intermediate_images() {
    let (home, ids) = family::home_with(&["base", "mid", "set", "top"]);
    let id = |n: usize| ids[n][..12].to_owned();
    home.pod(["untag", "mid"]).ok();
    // Without a name, but others are made from it.
    assert_eq!(listed(&home, &[]), ["top", "set", "base"]);
    assert_eq!(listed(&home, &["-a"]), ["top", "set", "<none>", "base"]);
    assert_eq!(listed(&home, &["-f", "intermediate=true"]), ["<none>"]);
    assert_eq!(listed(&home, &["-f", "dangling=true"]), [""; 0]);
    assert_eq!(home.pod(["image", "prune", "-f"]).ok(), "");
    home.pod(["untag", "set"]).ok();
    home.pod(["untag", "top"]).ok();
    assert_eq!(
        home.pod(["images", "-q"]).ok(),
        format!("{}\n{}", id(3), id(0))
    );
    let dangling = home.pod([
        "images",
        "-f",
        "dangling=true",
        "--format",
        "{{.ID}} {{.Dangling}} {{.Tag}}",
    ]);
    assert_eq!(dangling.ok(), format!("{} true <none>", id(3)));
    // The last child takes along what only it was made from.
    let done = home.pod(["image", "prune", "-f"]).ok();
    assert_eq!(done, format!("{}\n{}\n{}", ids[3], ids[2], ids[1]));
    assert_eq!(home.pod(["images", "-aq"]).ok(), id(0));
}

#[test]
fn history_and_tree_show_how_an_image_was_made() {
    let (home, ids) = family::home_with(&["base", "mid", "set", "top"]);
    let id = |n: usize| &ids[n][..12];
    home.pod(["tag", "mid", "also"]).ok();
    let rows = home.pod([
        "history",
        "--format",
        "{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}|{{.CreatedAt}}|{{.Tags}}",
        "top",
    ]);
    let want = [
        format!(
            "{}|RUN last|30kB|done|2026-03-01T00:00:00Z|[docker.io/library/top:latest]",
            id(3)
        ),
        format!(
            "{}|CMD [\"sh\"]|0B||2025-06-01T00:00:01Z|[docker.io/library/set:latest]",
            id(2)
        ),
        format!(
            "{}|RUN /bin/sh -c make all the things that th...|20kB||2025-06-01T00:00:00Z|[docker.io/library/mid:latest localhost/also:latest]",
            id(1)
        ),
        format!(
            "{}|ADD rootfs|10kB|from scratch|2024-01-01T00:00:00Z|[docker.io/library/base:latest]",
            id(0)
        ),
    ];
    assert_eq!(rows.ok(), want.join("\n"));
    let table = home.pod(["history", "base"]).ok();
    assert!(
        table.starts_with("ID            CREATED      CREATED BY  SIZE        COMMENT\n"),
        "{table}"
    );
    let whole = home.pod(["history", "--no-trunc", "-H=false", "mid"]).ok();
    assert!(
        whole.contains(&ids[1]) && whole.contains("all the things that this image is made of"),
        "{whole}"
    );
    assert!(whole.contains("  2025-06-01T00:00:00Z  "), "{whole}");
    home.pod(["rmi", "mid", "also"]).ok();
    let quiet = home.pod(["history", "-q", "top"]).ok();
    assert_eq!(
        quiet.lines().collect::<Vec<_>>(),
        [id(3), id(2), "<missing>", id(0)]
    );
    home.pod(["rmi", "base"]).ok();
    let quiet = home.pod(["history", "-q", "top"]).ok();
    assert_eq!(
        quiet.lines().collect::<Vec<_>>(),
        [id(3), id(2), "<missing>", "<missing>"]
    );

    home.pod(["pull", "-q", "base"]).ok();
    let masked = |text: String| {
        let masked: Vec<String> = text
            .lines()
            .map(|line| match line.find("─ ID: ") {
                Some(at) => format!("{}─ ID: #{}", &line[..at], &line[at + 20..]),
                None => line.to_owned(),
            })
            .collect();
        masked.join("\n")
    };
    let tree = home.pod(["image", "tree", "top"]).ok();
    assert_eq!(
        masked(tree),
        format!(
            "Image ID: {}\nTags:     [docker.io/library/top:latest]\nSize:     60kB\nImage Layers\n\
             ├── ID: # Size:    10kB Top Layer of: [docker.io/library/base:latest]\n\
             ├── ID: # Size:    20kB Top Layer of: [docker.io/library/set:latest]\n\
             └── ID: # Size:    30kB Top Layer of: [docker.io/library/top:latest]",
            id(3)
        )
    );
    let up = home.pod(["image", "tree", "--whatrequires", "base"]).ok();
    assert!(up.contains("└── ID: ") && up.contains("top:latest"), "{up}");
}

#[test]
fn names_come_and_go() {
    let (home, ids) = family::home_with(&["base"]);
    home.pod([
        "tag",
        &ids[0][..8],
        "one",
        "quay.example/a/b:2",
        "localhost:5001/x",
    ])
    .ok();
    let names = || {
        home.pod([
            "image",
            "inspect",
            "-f",
            "{{join .RepoTags \" \"}}",
            &ids[0],
        ])
        .ok()
    };
    assert_eq!(
        names(),
        "docker.io/library/base:latest localhost/one:latest localhost:5001/x:latest quay.example/a/b:2"
    );
    // One bad name: none is given.
    home.pod(["tag", "base", "good", "BAD"]).code(125);
    assert!(!names().contains("good"));
    assert_eq!(
        home.pod(["untag", "base", "one", "a/b:2"]).code(125).stderr,
        "Error: localhost/a/b:2: tag not known\n"
    );
    home.pod(["untag", "base", "quay.example/a/b:2"]).ok();
    assert_eq!(
        names(),
        "docker.io/library/base:latest localhost:5001/x:latest"
    );
    home.pod(["untag", "base"]).ok();
    assert_eq!(names(), "");
    assert_eq!(
        home.pod(["images", "--format", "{{.Repository}} {{.Tag}}"])
            .ok(),
        "<none> <none>"
    );
    let history = home.pod(["images", "-a", "--format", "{{.History}}"]).ok();
    assert!(
        history.ends_with("docker.io/library/base:latest"),
        "{history}"
    );
    home.pod(["tag", &ids[0], "back"]).ok();
    assert_eq!(names(), "localhost/back:latest");
}

#[test]
fn removal_by_name_id_digest_and_all() {
    let (home, ids) = family::home_with(&["base", "mid", "set", "top", "alone"]);
    home.pod(["tag", "alone", "two", "three"]).ok();
    let by_id = home.pod(["rmi", &ids[4][..6]]).code(125);
    assert_eq!(
        by_id.stderr,
        format!(
            "Error: unable to delete image \"{}\" by ID with more than one tag ([docker.io/library/alone:latest localhost/three:latest localhost/two:latest]): please force removal\n",
            ids[4]
        )
    );
    assert_eq!(
        home.pod(["rmi", "two"]).ok(),
        "Untagged: localhost/two:latest"
    );
    assert_eq!(
        home.pod(["rmi", "-f", &ids[4]]).ok(),
        format!(
            "Untagged: docker.io/library/alone:latest\nUntagged: localhost/three:latest\nDeleted: {}",
            ids[4]
        )
    );
    // Children are made from it: the name goes, the content stays.
    assert_eq!(
        home.pod(["rmi", "mid"]).ok(),
        "Untagged: docker.io/library/mid:latest"
    );
    assert_eq!(home.pod(["image", "exists", &ids[1]]).code, 1);
    home.pod(["pull", "-q", "mid"]).ok();
    home.pod(["untag", "mid"]).ok();
    home.pod(["untag", "set"]).ok();
    let digest = home
        .pod(["image", "inspect", "-f", "{{.Digest}}", "top"])
        .ok();
    let done = home
        .pod(["rmi", "--no-prune", &format!("top@{digest}")])
        .ok();
    assert_eq!(
        done,
        format!(
            "Untagged: docker.io/library/top:latest\nDeleted: {}",
            ids[3]
        )
    );
    // Parents without a name went with it, had they been allowed to.
    assert_eq!(
        home.pod(["rmi", &ids[2]]).ok(),
        format!("Deleted: {}\nDeleted: {}", ids[2], ids[1])
    );
    assert_eq!(listed(&home, &["-a"]), ["base"]);

    let several = home.pod(["rmi", "nosuch", "base", "nosuch2"]).code(1);
    assert_eq!(
        several.stderr,
        "Error: nosuch: image not known\nError: nosuch2: image not known\n"
    );
    assert!(several.stdout.contains("Deleted: "), "{several}");
    assert_eq!(home.pod(["rmi", "-i", "nosuch"]).ok(), "");
    assert_eq!(home.pod(["rmi", "--force", "nosuch"]).ok(), "");
    assert_eq!(home.pod(["rmi", "--all"]).ok(), "");

    for name in ["base", "mid", "top"] {
        home.pod(["pull", "-q", name]).ok();
    }
    home.pod(["tag", "base", "again"]).ok();
    let all = home.pod(["image", "rm", "-a"]).ok();
    assert_eq!(
        all.lines()
            .filter(|line| line.starts_with("Untagged: "))
            .count(),
        4,
        "{all}"
    );
    assert_eq!(
        all.lines()
            .filter(|line| line.starts_with("Deleted: "))
            .count(),
        3,
        "{all}"
    );
}

#[test]
fn what_containers_use_stays_unless_forced() {
    let (home, ids) = family::home_with(&["base", "mid"]);
    let container = home.pod(["create", "--network=none", "base"]).ok();
    let done = home.pod(["rmi", "base"]).code(2);
    assert_eq!(
        done.stderr,
        format!(
            "Error: image used by {container}: image is in use by a container: consider listing external containers and force-removing image\n"
        )
    );
    home.pod(["rmi", "base", "nosuch"]).code(2);
    home.pod(["tag", "base", "other"]).ok();
    assert_eq!(
        home.pod(["rmi", "other"]).ok(),
        "Untagged: localhost/other:latest"
    );
    home.pod(["rmi", "-a"]).code(2);
    assert_eq!(listed(&home, &[]), ["base"]);
    home.pod(["pull", "-q", "mid"]).ok();
    assert_eq!(home.pod(["image", "prune", "-af"]).ok(), ids[1]);
    let done = home.pod(["rmi", "-f", "base"]).ok();
    assert_eq!(
        done,
        format!(
            "Untagged: docker.io/library/base:latest\nDeleted: {}",
            ids[0]
        )
    );
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn prune_asks_first() {
    let (home, ids) = family::home_with(&["base", "alone"]);
    home.pod(["untag", "alone"]).ok();
    let asked = "WARNING! This command removes all dangling images.\nAre you sure you want to continue? [y/N] ";
    for answer in ["n\n", "\n", "no\n", "x\n"] {
        let done = home.pod_with_input(["image", "prune"], answer).code(0);
        assert_eq!(done.stdout, asked);
    }
    let done = home.pod_with_input(["image", "prune"], "").code(125);
    assert!(
        done.stdout == asked && done.stderr.starts_with("Error: EOF"),
        "{done}"
    );
    let done = home.pod_with_input(["image", "prune", "--filter", "label=a"], "y\n");
    assert_eq!(done.ok(), asked.trim_end_matches('\n'));
    let done = home.pod_with_input(["image", "prune"], "Yes\n").code(0);
    assert_eq!(done.stdout, format!("{asked}{}\n", ids[1]));
    let done = home.pod_with_input(
        [
            "image",
            "prune",
            "-a",
            "--filter=until=2025-01-01",
            "--filter=label!=b",
        ],
        "y\n",
    );
    assert_eq!(
        done.ok(),
        format!(
            "WARNING! This command removes all images without at least one container associated with them.\n\
             Are you sure you want to continue? [y/N] {}",
            ids[0]
        )
    );
    for flag in ["--external", "--build-cache"] {
        assert_eq!(home.pod(["image", "prune", "-f", flag]).ok(), "");
    }
}

#[test]
fn df_counts_what_is_there() {
    let (home, ids) = family::home_with(&["base", "mid", "alone"]);
    let rows = |home: &TestHome| -> Vec<Value> {
        serde_json::from_str(&home.pod(["system", "df", "--format", "json"]).ok()).unwrap()
    };
    let number = |value: &Value| value.as_u64().unwrap();
    let before = rows(&home);
    let kinds: Vec<&str> = before
        .iter()
        .map(|row| row["Type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Images", "Containers", "Local Volumes"]);
    assert_eq!(
        (number(&before[0]["Total"]), number(&before[0]["Active"])),
        (3, 0)
    );
    assert_eq!(before[0]["RawSize"], before[0]["RawReclaimable"]);
    // As much as the files of blobs and layers.
    let store = home.path("home/.local/share/pod");
    let count = format!(
        "find {0}/blobs {0}/layers/*/tree -type f -printf '%s\\n' | awk '{{ n += $1 }} END {{ print n }}'",
        store.display()
    );
    assert_eq!(
        number(&before[0]["RawSize"]).to_string(),
        tool(["sh", "-c", &count])
    );

    home.pod(["create", "--name=user", "--network=none", "mid"])
        .ok();
    let with = rows(&home);
    assert_eq!(
        (number(&with[0]["Active"]), number(&with[1]["Total"])),
        (1, 1)
    );
    let text = home.pod(["system", "df"]).ok();
    assert!(
        text.starts_with("TYPE           TOTAL       ACTIVE      SIZE        RECLAIMABLE\n"),
        "{text}"
    );
    assert!(
        text.contains("\nContainers     1           0           0B          0B (0%)\n"),
        "{text}"
    );
    let verbose = home.pod(["system", "df", "-v"]).ok();
    let row = verbose
        .lines()
        .find(|line| line.contains("/base "))
        .unwrap();
    let cells: Vec<&str> = row
        .split("  ")
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .collect();
    assert_eq!(
        cells[..3],
        ["docker.io/library/base", "latest", &ids[0][..12]]
    );
    // Its layer and the blob of that are mid's too; config and manifest are its own.
    assert!(
        cells[5].starts_with("10.") && cells[5].ends_with("kB"),
        "{verbose}"
    );

    assert!(
        verbose.contains("Containers space usage:") && verbose.contains("  user"),
        "{verbose}"
    );
    // What the container needs is not reclaimable.
    let freed = number(&with[0]["RawReclaimable"]);
    home.pod(["rmi", "alone", "base"]).ok();
    let after = rows(&home);
    assert!(number(&after[0]["RawSize"]) >= number(&with[0]["RawSize"]) - freed);
    assert_eq!(number(&after[0]["RawReclaimable"]), 0, "{after:?}");
}

#[test]
fn a_removal_in_a_race_never_takes_what_is_used() {
    let home = TestHome::with_busybox();
    // Each line a shell prints is a failure that should not be.
    let shells = [
        // What runs has run whole, or was refused before it began.
        "for n in 1 2 3 4 5 6 7 8; do
            out=$($POD run --rm --network=none -q busybox cat /srv/data/seed 2>&1); code=$?
            case \"$code $out\" in
                '0 from the image') ;;
                125*'removed meanwhile'* | 125*'image not known'* | 125*'is not in the store'*) ;;
                *) echo \"run: $code $out\" ;;
            esac
         done",
        // What was created can be started, however many removals come in between.
        "for n in 1 2 3 4 5 6 7 8; do
            name=made-$$-$n
            $POD create -q --network=none --name $name busybox cat /srv/data/seed >/dev/null 2>err-$$ || {
                grep -qE 'removed meanwhile|not known|is not in the store' err-$$ || { echo \"create:\"; cat err-$$; }
                continue
            }
            $POD rmi busybox >/dev/null 2>&1
            out=$($POD start -a $name 2>&1) || echo \"start: $? $out\"
            [ \"$out\" = 'from the image' ] || echo \"start: $out\"
            $POD rm $name >/dev/null || echo rm
         done; rm -f err-$$",
        "for n in 1 2 3 4 5 6 7 8; do
            $POD pull -q busybox >/dev/null 2>out-$$ || { echo pull:; cat out-$$; }
            $POD tag busybox other-$$ 2>/dev/null
            $POD rmi other-$$ >/dev/null 2>&1
         done; rm -f out-$$",
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
            $POD rmi busybox >/dev/null 2>rm-$$; code=$?
            [ $code -le 2 ] || { echo \"rmi: $code\"; cat rm-$$; }
            $POD image prune -af >/dev/null 2>rm-$$ || { echo prune; cat rm-$$; }
         done; rm -f rm-$$",
    ];
    let running: Vec<_> = shells
        .iter()
        .chain(&shells)
        .map(|script| home.spawn_sh(script))
        .collect();
    for shell in running {
        let done = shell.wait();
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            ("", ""),
            "{done}"
        );
    }
    home.pod(["pull", "-q", "busybox"]).ok();
    let seed = home.pod([
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "cat",
        "/srv/data/seed",
    ]);
    assert_eq!(seed.ok(), "from the image");
}

#[test]
fn images_of_a_store_below_are_shown_and_stay() {
    let (home, ids) = family::home_with(&["base", "mid"]);
    let below = home.path("home/.local/share/pod").display().to_string();
    let above = home.mkdir("above").display().to_string();
    home.write(
        "home/.config/containers/storage.conf",
        &format!("[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [\"{below}\"]\n"),
    );
    let pod = |args: &[&str]| home.pod(["--root", &above].iter().chain(args).copied());
    pod(&["pull", "-q", "top"]).ok();
    let rows = pod(&["images", "--format", "{{.Repository}} {{.ReadOnly}}"]).ok();
    assert_eq!(
        rows,
        "docker.io/library/top false\ndocker.io/library/mid true\ndocker.io/library/base true"
    );
    let table = pod(&["images"]).ok();
    assert!(
        table.lines().next().unwrap().ends_with("SIZE        R/O"),
        "{table}"
    );
    let of = |filter: &str| pod(&["images", "-q", "--no-trunc", "-f", filter]).ok();
    assert_eq!(
        of("readonly=true"),
        format!("sha256:{}\nsha256:{}", ids[1], ids[0])
    );
    assert!(!of("readonly=false").contains(&ids[0]));
    let json: Value = serde_json::from_str(&pod(&["images", "--format=json", "mid"]).ok()).unwrap();
    assert_eq!(json[0]["ReadOnly"], true);
    for words in [["rmi", "mid"], ["rmi", &ids[0]]] {
        let done = pod(&words).code(125);
        assert!(
            done.stderr.contains("cannot remove read-only image"),
            "{done}"
        );
    }
    assert!(
        pod(&["untag", "mid"])
            .code(125)
            .stderr
            .contains("read-only")
    );
    assert_eq!(pod(&["image", "prune", "-af"]).ok().lines().count(), 1);
    assert_eq!(pod(&["rmi", "-a"]).ok(), "");
    assert_eq!(pod(&["images", "-q"]).ok().lines().count(), 2);
    assert_eq!(home.pod(["image", "exists", "mid"]).code, 0);
    tool(["rm", "-rf", &above]);
    home.write("home/.config/containers/storage.conf", "");
}

#[test]
fn dockers_spellings() {
    let (home, ids) = family::home_with(&["base"]);
    let id = &ids[0][..12];
    for words in [
        "image ls -q",
        "image list -q=true",
        "images --quiet=1 --all=false",
        "images -aq",
        "images -qa --no-trunc=false",
    ] {
        assert_eq!(home.pod(words.split(' ')).ok(), id, "{words}");
    }
    for words in [
        "container ls -aq",
        "container list --all -q",
        "container ps -q",
        "ps -f status=exited -q",
    ] {
        assert_eq!(home.pod(words.split(' ')).ok(), "", "{words}");
    }
    home.pod(["image", "tag", "base", "x"]).ok();
    let done = home.pod(["image", "remove", "--force=false", "x"]).ok();
    assert_eq!(done, "Untagged: localhost/x:latest");
    let done = home.pod(["image", "rm", "-f=false", &ids[0]]).ok();
    assert!(done.ends_with(&format!("Deleted: {}", ids[0])), "{done}");
    let done = home.pod(["images", "--quiet=maybe"]).code(125);
    assert!(
        done.stderr.starts_with("Error: invalid argument \"maybe\" for \"-q, --quiet\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax\n"),
        "{done}"
    );
}
