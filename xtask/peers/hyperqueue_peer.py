"""HyperQueue by its command line: a task array of `true`, without output files."""

import os
import subprocess

from measure import SLOTS, guarded, measure, output, program, scratch, server, wait_for

HQ = os.environ.get("HQ") or program("hq")

with guarded(), scratch() as folder:
    hq = [HQ, "--server-dir", str(folder)]
    submit = [*hq, "submit", "--stdout", "none", "--stderr", "none", "--wait"]

    def ask(*words):
        return subprocess.run([*hq, *words], capture_output=True, text=True).stdout

    def run(*words):
        subprocess.run([*submit, *words, "--", "true"], check=True, capture_output=True, cwd=folder)

    with server([*hq, "server", "start", "--host", "127.0.0.1"], "server"):
        wait_for("the server", lambda: "Start date" in ask("server", "info"))
        with server([*hq, "worker", "start", "--cpus", SLOTS, "--overview-interval", "0s"], "worker"):
            wait_for("the worker", lambda: "RUNNING" in ask("worker", "list"))
            measure(
                peer="hyperqueue",
                version=output(HQ, "--version").split()[-1],
                array=lambda tasks: run("--array", f"1-{tasks}"),
                single=run,
                durable="no (its journal, when on, is flushed every 30 s)",
                isolation="a process of the same user",
                note="`hq submit --array --wait`; latency includes the start of `hq`, its only client",
            )
