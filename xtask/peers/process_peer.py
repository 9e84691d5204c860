"""A plain process per task, started by the better of xargs and posix_spawn."""

import os
import shutil
import subprocess

from measure import SLOTS, WARM_UP, guarded, measure, timed

TRUE = shutil.which("true")


def spawn():
    return os.posix_spawn(TRUE, [TRUE], {})


def by_spawn(tasks):
    started = 0
    for _ in range(min(SLOTS, tasks)):
        spawn()
        started += 1
    for _ in range(tasks):
        os.wait()
        if started < tasks:
            spawn()
            started += 1


def by_xargs(tasks):
    words = b"x\n" * tasks
    # `true` takes no notice of its argument.
    subprocess.run(["xargs", "-n1", f"-P{SLOTS}", TRUE], input=words, check=True)


def single():
    os.waitpid(spawn(), 0)


with guarded():
    ways = {"posix_spawn": by_spawn, "xargs": by_xargs}
    best = min(ways, key=lambda way: min(timed(ways[way], WARM_UP) for _ in range(3)))
    measure(
        peer="process",
        version=os.uname().release,
        array=ways[best],
        single=single,
        durable="no",
        isolation="a process of the same user",
        note=f"by {best}; no queue, no results",
    )
