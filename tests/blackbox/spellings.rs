//! Command lines as fingers and scripts know them from Podman and Docker (`alias docker=pod`).

use crate::support::TestHome;

/// Runs each line; `Ok`: its output has the text, `Err`: it fails with 125 and the error has it.
fn all(home: &TestHome, table: &[(&str, Result<&str, &str>)]) {
    for (line, want) in table {
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = home.pod(words);
        match want {
            Ok(text) => {
                assert_eq!(done.code, 0, "{line}: {done}");
                assert!(done.stdout.contains(text), "{line}: {done}");
            }
            Err(text) => {
                assert_eq!(done.code, 125, "{line}: {done}");
                assert!(done.stderr.contains(text), "{line}: {done}");
            }
        }
    }
}

#[test]
fn muscle_memory_works() {
    let home = TestHome::with_busybox();
    all(
        &home,
        &[
            ("run --rm --net none busybox echo one", Ok("one")),
            ("run --rm=true --network=none busybox echo two", Ok("two")),
            (
                "container run -i --rm --net=none --name=x busybox echo three",
                Ok("three"),
            ),
            ("create --name c --net none busybox true", Ok("")),
            ("container ls -a", Ok("busybox")),
            (
                "container list --all --no-trunc=false --format {{.Names}}",
                Ok("c"),
            ),
            ("container ps -aq", Ok("")),
            (
                "ps -a --filter name=c --filter status=created --format {{.Names}}",
                Ok("c"),
            ),
            (
                "ps -a --filter label!=a --format {{.ID}}:{{.Image}}:{{.Command}}:{{.State}}",
                Ok(":created"),
            ),
            ("ps -n 1 --quiet --no-trunc", Ok("")),
            ("ps -a --sort names --noheading", Ok("c")),
            ("ps --all --external --namespace", Ok("PIDNS")),
            (
                "ps -a --storage --ns --format {{.Namespaces.PIDNS}}{{.Names}}",
                Ok("c"),
            ),
            ("ps -al --format json", Ok("\"Names\": [")),
            ("image ls", Ok("busybox")),
            ("image list -q", Ok("")),
            (
                "images --format {{.Repository}}:{{.Tag}}",
                Ok("busybox:latest"),
            ),
            (
                "container inspect c --format {{.State.Status}}",
                Ok("created"),
            ),
            ("image inspect busybox --format {{.Os}}", Ok("linux")),
            ("inspect --type=container c -f {{.Name}}", Ok("c")),
            ("start c", Ok("c")),
            ("container wait c", Ok("0")),
            ("rm -f=false c", Ok("c")),
            ("version --format {{.Client.Version}}", Ok(".")),
            ("version -f json", Ok("\"Client\"")),
            ("version --format {{.Version}}", Ok(".")),
            ("version --format={{.Server.Version}}", Ok(".")),
            ("info --format {{.Host.Security.Rootless}}", Ok("true")),
            (
                "info --format {{.Host.OCIRuntime.Name}}{{.Store.GraphDriverName}}",
                Ok("overlay"),
            ),
            ("system info -f json", Ok("\"host\"")),
            ("info --format {{.Version.Version}}", Ok(".")),
        ],
    );
    assert_eq!(home.pod(["container", "exists", "nope"]).code, 1);
}

#[test]
fn mistakes_read_as_podmans() {
    let home = TestHome::with_busybox();
    all(
        &home,
        &[
            (
                "ps --nope",
                Err("Error: unknown flag: --nope\nSee 'pod ps --help'"),
            ),
            (
                "ps -q --size",
                Err("Error: quiet conflicts with size and namespace"),
            ),
            (
                "ps --ns --size",
                Err("Error: size and namespace options conflict"),
            ),
            (
                "ps -l -n 2",
                Err("Error: last and latest are mutually exclusive"),
            ),
            (
                "ps --watch 1 --latest",
                Err("Error: the watch and latest flags cannot be used together"),
            ),
            ("ps -f nope", Err("Error: invalid filter \"nope\"")),
            ("ps -f nope=x", Err("Error: nope is an invalid filter")),
            ("ps -f status=nope", Err("nope")),
            ("ps --format {{.Nope}} -a", Ok("")),
            ("inspect", Err("Error: no names or ids specified")),
            ("rm", Err("Error: you must provide at least one name or id")),
            ("start", Err("Error: start requires at least one argument")),
            (
                "run",
                Err("Error: requires at least 1 arg(s), only received 0"),
            ),
            (
                "run --name a/b busybox",
                Err("names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"),
            ),
            (
                "create --replace busybox",
                Err("Error: cannot replace container without --name being set"),
            ),
            ("run --pull nope busybox", Err("nope")),
            (
                "run --uts=host --hostname=x busybox",
                Err("cannot set hostname when running in the host UTS namespace"),
            ),
            (
                "run --umask=999 busybox",
                Err("invalid umask string 999: invalid argument"),
            ),
            (
                "run --sysctl=kernel.x=1 busybox",
                Err("sysctl 'kernel.x' is not allowed"),
            ),
            (
                "run --sysctl=x busybox",
                Err("x is invalid, sysctl values must be in the form of KEY=VALUE"),
            ),
            (
                "run --tz=Nowhere/City busybox",
                Err("no such file or directory"),
            ),
            (
                "run --annotation=x busybox",
                Err("annotations must be formatted KEY=VALUE"),
            ),
            (
                "run --security-opt=nope busybox",
                Err("invalid --security-opt 1: \"nope\""),
            ),
            (
                "secret inspect nope",
                Err("no secret with name or id \"nope\": no such secret"),
            ),
        ],
    );
}
