"""The life of containers: listing a thousand, creating, stopping, removing, logs, copies, health checks."""

import itertools
import os
import subprocess
import time

from measure import Peer, quiet, rounds, show

LINE = "x" * 99 + "\n"


def life(bench):
    """Runs as the user who measures. Results go to `bench.results`."""
    tools = []
    for name, tool in (("pod", [bench.pod]), ("podman", bench.podman)):
        if bench.have.get(name) is None and not (name == "podman" and bench.opts.skip_slow):
            tools.append((name, tool))
    many(bench, tools)
    create(bench, tools)
    remove(bench, tools)
    stop(bench, tools)
    copy(bench, tools)
    logs(bench)
    throughput(bench, tools)


def words(bench, tool, verb, *more):
    return [*tool, verb, "--network", "none", *more, bench.image]


def sleeper(bench, tool, *more):
    return [*words(bench, tool, "run", "-d", *more), "sleep", "100000"]


def clear(bench, tool):
    """Removes every container, untimed."""
    subprocess.run([*tool, "rm", "-a", "-f", "-t", "0"], env=bench.env, capture_output=True)


def many(bench, tools, count=1000):
    """Listing and inspecting among a thousand stopped containers."""
    true = Peer("fork + exec true", ["/bin/true"])
    listing, looking = [true], [Peer(true.name, true.argv)]
    for name, tool in tools:
        for number in range(count):
            quiet([*words(bench, tool, "create", "--name", f"many{number}"), "true"], bench.env)
        listing.append(Peer(name, [*tool, "ps", "-a"]))
        looking.append(Peer(name, [*tool, "inspect", f"many{count // 2}"]))
    rounds(listing, bench.opts.rounds, bench.env)
    bench.results["ps -a"] = show(f"ps -a with {count} containers", listing, true.name, "podman")
    rounds(looking, bench.opts.rounds, bench.env)
    bench.results["inspect"] = show(f"inspect of one of {count} containers", looking, true.name, "podman")
    for _, tool in tools:
        clear(bench, tool)


def create(bench, tools):
    peers = [Peer(name, [*words(bench, tool, "create"), "true"]) for name, tool in tools]
    rounds(peers, bench.opts.rounds, bench.env)
    bench.results["create"] = show("create IMAGE true", peers, None, "podman")
    for _, tool in tools:
        clear(bench, tool)


def remove(bench, tools, count=100):
    """`rm -f` of many, of which each round makes new ones first."""
    for key, verb in (("rm created", "create"), ("rm running", "run")):
        def made(tool, verb=verb):
            def make():
                start = words(bench, tool, verb, *(["-d"] if verb == "run" else []))
                return [*tool, "rm", "-f", "-t", "0",
                        *[quiet([*start, "sleep", "100000"], bench.env).split()[-1] for _ in range(count)]]

            return make

        peers = [Peer(name, made(tool)) for name, tool in tools]
        rounds(peers, 3, bench.env, warm=0)
        state = {"create": "created", "run": "running"}[verb]
        bench.results[key] = show(f"rm -f of {count} {state} containers", peers, None, "podman")


def stop(bench, tools):
    peers = []
    for name, tool in tools:
        quiet(sleeper(bench, tool, "--name", "bench-stop"), bench.env)

        def again(tool=tool):
            quiet([*tool, "start", "bench-stop"], bench.env)
            return [*tool, "stop", "-t", "0", "bench-stop"]

        peers.append(Peer(name, again))
    rounds(peers, bench.opts.rounds, bench.env)
    bench.results["stop"] = show("stop -t 0", peers, None, "podman")
    for _, tool in tools:
        clear(bench, tool)


def copy(bench, tools):
    """One large file into a running container, and out again."""
    source, numbers = f"{bench.work}/copied", itertools.count()
    with open(source, "wb") as file:
        for _ in range(bench.opts.copies):
            file.write(os.urandom(1 << 20))
    target = lambda: f"{bench.work}/copy{next(numbers)}"
    into = [Peer("cp", lambda: ["cp", source, target()])]
    out = [Peer("cp", lambda: ["cp", source, target()])]
    for name, tool in tools:
        quiet(sleeper(bench, tool, "--name", "bench-cp"), bench.env)
        quiet([*tool, "cp", source, "bench-cp:/file"], bench.env)
        into.append(Peer(name, lambda t=tool: [*t, "cp", source, f"bench-cp:/file{next(numbers)}"]))
        out.append(Peer(name, lambda t=tool: [*t, "cp", "bench-cp:/file", target()]))
    for key, peers in (("cp in", into), ("cp out", out)):
        rounds(peers, bench.opts.pulls, bench.env, warm=1)
        title = f"{key} of a file of {bench.opts.copies} MiB"
        bench.results[key] = show(title, peers, "cp", "podman")
    for _, tool in tools:
        clear(bench, tool)
    for number in range(next(numbers)):
        path = f"{bench.work}/copy{number}"
        if os.path.exists(path):
            os.unlink(path)
    os.unlink(source)


def lines(bench, megabytes):
    """A file of lines of 100 bytes."""
    path = f"{bench.work}/lines"
    with open(path, "w") as file:
        for _ in range(megabytes):
            file.write(LINE * 10_000)
    return path


def logs(bench, megabytes=100):
    """Reading a long log, into a pipe, beside cat of the file that holds it."""
    if bench.have.get("pod") is not None:
        return
    path = lines(bench, megabytes)
    run = words(bench, [bench.pod], "run", "--name", "bench-logs", "-v", f"{path}:/lines:ro")
    subprocess.run([*run, "cat", "/lines"], env=bench.env, stdout=subprocess.DEVNULL, check=True)
    file = quiet([bench.pod, "inspect", "--format", "{{.HostConfig.LogConfig.Path}}", "bench-logs"], bench.env)
    piped = lambda command: ["sh", "-c", f"{command} | cat > /dev/null"]
    peers = [Peer("cat", piped(f"cat {file}")), Peer("pod logs", piped(f"{bench.pod} logs bench-logs"))]
    rounds(peers, bench.opts.rounds, bench.env)
    bench.results["logs"] = show(f"logs of {megabytes} MB", peers, "cat")
    clear(bench, [bench.pod])


def throughput(bench, tools, megabytes=1000):
    """Lines through the monitor into a log file, until the container has ended."""
    path = lines(bench, megabytes)
    peers = []
    for name, tool in tools:
        run = words(bench, tool, "run", "-d", "--log-driver", "k8s-file", "-v", f"{path}:/lines:ro")
        script = f"{' '.join(tool)} wait $({' '.join(run)} cat /lines)"
        peers.append(Peer(name, ["sh", "-c", script], lambda t=tool: count_lines(bench, t, megabytes * 10_000)))
    rounds(peers, bench.opts.pulls, bench.env, warm=0)
    found = show(f"{megabytes} MB of lines through the monitor, k8s-file", peers, None, "podman")
    bench.results["throughput"] = {name: megabytes * 1e3 / value for name, value in found.items()}
    os.unlink(path)


def count_lines(bench, tool, want):
    """No line may be lost or torn."""
    last = quiet([*tool, "ps", "-a", "-q"], bench.env).split()[0]
    script = f"{' '.join(tool)} logs {last} | LC_ALL=C grep -c '^x\\{{99\\}}$'"
    got = int(quiet(["sh", "-c", script], bench.env))
    clear(bench, tool)
    if got != want:
        raise RuntimeError(f"{tool[0]}: {got} lines of {want} are in the log")


def health(bench, as_user, pids_of, usage, count=50, seconds=20):
    """Monitors of detached containers with one check each second: memory, and CPU of their own and of the checks."""
    if bench.have.get("pod") is not None:
        return
    more = ["--health-cmd", "true", "--health-interval", "1s", "--stop-signal", "KILL"]
    run = sleeper(bench, [bench.pod], *more)
    try:
        for _ in range(count):
            quiet(run, bench.env, **as_user)
        time.sleep(2)  # the first checks
        pids = pids_of(bench.pod)
        before = [cpu(pid) for pid in pids]
        time.sleep(seconds)
        own, checks = [
            sum(now[part] - then[part] for now, then in zip([cpu(pid) for pid in pids], before)) / len(pids)
            for part in (0, 1)
        ]
        table = [sum(values) / len(pids) for values in zip(*map(usage, pids))]
    finally:
        subprocess.run([bench.pod, "rm", "-a", "-f", "-t", "0"], env=bench.env, stdout=subprocess.DEVNULL, **as_user)
    tick = os.sysconf("SC_CLK_TCK")
    own, checks = own / tick / seconds * 100, checks / tick / seconds * 100
    print(f"\n### {count} detached containers with a health check each second, each\n\n| | |\n|---|---|")
    print(f"| PSS, KiB | {table[1]:.0f} |\n| CPU of the monitor, % | {own:.3f} |\n| CPU of the checks, % | {checks:.3f} |")
    bench.results["health"] = (table[1], own, len(pids) / count)


def cpu(pid):
    """Clock ticks of the process itself, and of its children that ended (proc(5), /proc/pid/stat 14 to 17)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
