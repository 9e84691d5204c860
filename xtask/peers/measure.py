"""The two measures that every peer goes through, and processes that do not outlive them.

Owns the clock, the figures and the line of JSON. Knows no peer. Needs nothing
but Python 3.9 on Linux.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

#: Tasks of an array.
TASKS = 10_000
#: Runs of the array; their median counts.
REPETITIONS = 3
#: An array that takes less than this many seconds says little: it is made ten times larger.
SHORT = 1
#: Single tasks, one after another.
SINGLES = 200
#: Tasks at once, for everybody.
SLOTS = 2
#: Before the clock runs: imports, caches, connections.
WARM_UP = 200
#: A server may take so long to be there, in seconds.
PATIENCE = 60
#: Where the peer is installed and may write.
PLACE = Path(os.environ.get("PEER_PLACE", "."))

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def measure(*, peer, version, array, single, durable, isolation, note, settle=lambda: None):
    """Prints the figures of one peer.

    `array(n)` runs n no-op tasks and returns when the client knows the end of
    each; `single()` runs one and returns when the client has its result. What an
    operator would have done between runs, `settle()` does off the clock.
    """
    tasks = TASKS
    array(WARM_UP)
    if timed(array, tasks) < SHORT:
        tasks *= 10
    rates = []
    for _ in range(REPETITIONS):
        settle()
        rates.append(tasks / timed(array, tasks))
    settle()
    for _ in range(SINGLES // 10):
        single()
    times = sorted(timed(single) * 1000 for _ in range(SINGLES))
    figures = {
        "peer": peer,
        "version": version,
        "tasks": tasks,
        "tasks_per_second": round(statistics.median(rates), 1),
        "latency_p50_ms": round(times[len(times) // 2], 3),
        "latency_p99_ms": round(times[len(times) * 99 // 100 - 1], 3),
        "durable": durable,
        "isolation": isolation,
        "note": note,
    }
    print(json.dumps(figures), flush=True)


def timed(act, *args):
    """Seconds that it takes."""
    start = time.perf_counter()
    act(*args)
    return time.perf_counter() - start


@contextmanager
def guarded():
    """Whatever happens inside, nothing that was started there runs afterwards."""
    # Orphans, also of servers that detach themselves, become children of this process.
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stopped = []

    def stop(number, _):
        stopped.append(number)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)
    try:
        yield
    finally:
        _sweep()
        if stopped:
            # Some clients would go on looking for the server that is gone.
            os._exit(128 + stopped[0])


@contextmanager
def server(command, name, *, stop=signal.SIGTERM, env=None, user=None):
    """A process for the time inside, with its output in PLACE/NAME.log."""
    with open(PLACE / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=PLACE,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            **({"user": user, "group": user, "extra_groups": []} if user else {}),
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(what, ready):
    """Looks until it is there."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            sys.exit(f"{what} was not there after {PATIENCE} s: see the logs in {PLACE}")
        time.sleep(0.05)


def answers(port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(kind=socket.SOCK_STREAM):
    """A port of the loopback that nobody has at the moment."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def scratch(user=None):
    """A folder beside the peer for what it writes, on the same disk for all; empty, and gone after."""
    for left in PLACE.glob("run-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="run-") as folder:
        if user:
            shutil.chown(folder, user, user)
        yield Path(folder)


def output(*command):
    """What a command says, in one line."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def program(name):
    """A program that the peer's script installed, else one of the system."""
    own = PLACE / "bin" / name
    return str(own) if own.exists() else name


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _sweep():
    while True:
        children = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == os.getpid()]
        if not children:
            return
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                pass  # It ended by itself, or somebody else has waited for it.


def _parent(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name before may hold anything; its bracket ends it.
            return int(stat.read().rpartition(b")")[2].split()[1])
    except OSError:
        return None
