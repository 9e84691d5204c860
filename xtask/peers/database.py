"""A PostgreSQL server for the time of one measurement, as its package configures it.

Owns starting and stopping it. What is committed is on disk: fsync and
synchronous_commit are on, as they are unless somebody turns them off.
"""

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from measure import scratch, server, wait_for


def find(name):
    """A program of PostgreSQL's server: Debian keeps them out of PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=_major)
    return shutil.which(name) or (found[-1] if found else sys.exit(f"{name} is not in PATH"))


@contextmanager
def postgres():
    """Yields the folder of its socket."""
    # It refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    with scratch(user) as folder, tempfile.TemporaryDirectory(prefix="pg-") as sockets:
        if user:
            shutil.chown(sockets, user, user)
        data = folder / "data"
        made = subprocess.run(
            [find("initdb"), "-D", data, "-A", "trust", "-U", "peers", "--no-locale", "-E", "UTF8"],
            capture_output=True,
            text=True,
            cwd="/",
            **({"user": user, "group": user, "extra_groups": []} if user else {}),
        )
        if made.returncode:
            sys.exit(f"initdb failed (can {user or 'this account'} reach {folder}?): {made.stderr}")
        command = [find("postgres"), "-D", data, "-k", sockets, "-c", "listen_addresses="]
        # SIGINT is its fast shutdown.
        with server(command, "postgres", stop=signal.SIGINT, user=user):
            wait_for("postgres", lambda: _ready(sockets))
            yield sockets


def _ready(sockets):
    asked = subprocess.run([find("pg_isready"), "-q", "-h", sockets], capture_output=True)
    return asked.returncode == 0


def _major(path):
    return float(path.split("/")[4])
