"""Timing of commands: interleaved rounds, medians, and a Markdown table of them."""

import os
import resource  # noqa: F401 - os.wait4 loads it, and the user who measures may not be able to read our Python
import signal
import statistics
import subprocess
import sys
import time

DEVNULL = os.open(os.devnull, os.O_RDWR)
# Python ignores these, and what it starts would inherit that: pasta of 2023 takes an ignored SIGPIPE for an error.
PYTHONS = [signal.SIGPIPE, signal.SIGXFSZ]


class Peer:
    """One way to do a thing. `argv` may be a function, called untimed before each run."""

    def __init__(self, name, argv, after=None):
        self.name, self.argv, self.after = name, argv, after
        self.wall, self.cpu, self.failure = [], [], None

    def run(self, env):
        argv = self.argv() if callable(self.argv) else self.argv
        try:
            wall, cpu, status, text = spawn(argv, env)
        except OSError as err:
            self.failure = f"{argv[0]}: {err.strerror}"
            return
        if status != 0:
            self.failure = f"status {status}: {text}"
            return
        self.wall.append(wall)
        self.cpu.append(cpu)
        if self.after:
            self.after()

    @property
    def median(self):
        return statistics.median(self.wall) if self.wall else None


def spawn(argv, env):
    """Runs `argv`: milliseconds until it ended, milliseconds of CPU (with children it waited for), status, stderr."""
    with open(env["BENCH_STDERR"], "wb+") as err:
        actions = [
            (os.POSIX_SPAWN_DUP2, DEVNULL, 0),
            (os.POSIX_SPAWN_DUP2, DEVNULL, 1),
            (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
        ]
        begin = time.perf_counter_ns()
        pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsigdef=PYTHONS)
        _, status, usage = os.wait4(pid, 0)
        wall = (time.perf_counter_ns() - begin) / 1e6
        err.seek(0)
        text = err.read(2000).decode(errors="replace").strip().replace("\n", " / ")
    return wall, (usage.ru_utime + usage.ru_stime) * 1e3, os.waitstatus_to_exitcode(status), text


def quiet(argv, env, **more):
    """Runs `argv` untimed and returns its stdout; a failure is an error that shows stderr."""
    done = subprocess.run(argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv[:6])} …: status {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout.strip()


def rounds(peers, count, env, warm=2):
    """Runs all peers `count` times, A B C A B C, after `warm` rounds that do not count. A peer that fails stops."""
    for number in range(warm + count):
        # Another one begins each round, so that nobody always runs after the same neighbour.
        turn = number % max(1, len(peers))
        for peer in peers[turn:] + peers[:turn]:
            if peer.failure is None:
                peer.run(env)
        if number < warm:
            for peer in peers:
                peer.wall, peer.cpu = [], []


def at_once(argv, count, env):
    """Starts `count` commands together. Returns seconds until the last ended, and how many failed."""
    begin = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, DEVNULL, fd) for fd in range(3)]
    pids = []
    for number in range(count):
        words = argv(number) if callable(argv) else argv
        pids.append(os.posix_spawnp(words[0], words, env, file_actions=actions, setsigdef=PYTHONS))
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    return time.perf_counter() - begin, failed


def show(title, peers, limit=None, podman=None, unit="ms"):
    """Prints one table, and returns the medians; the last columns are ratios to the peers of those names."""
    by_name = {peer.name: peer for peer in peers}
    bases = [(name, by_name[name].median) for name in (limit, podman) if name in by_name and by_name[name].median]
    print(f"\n### {title}\n")
    print(f"| {unit} | median | min | CPU | n |" + "".join(f" / {name} |" for name, _ in bases))
    print("|---|---|---|---|---|" + "---|" * len(bases))
    for peer in peers:
        if not peer.wall:
            print(f"| {peer.name} | not measured: {peer.failure or 'missing'} | | | |" + " |" * len(bases))
            continue
        cpu = statistics.median(peer.cpu) if peer.cpu else 0
        ratios = "".join(f" {peer.median / base:.2f} |" for _, base in bases)
        print(f"| {peer.name} | {peer.median:.1f} | {min(peer.wall):.1f} | {cpu:.1f} | {len(peer.wall)} |{ratios}")
    sys.stdout.flush()
    return {peer.name: peer.median for peer in peers if peer.wall}
