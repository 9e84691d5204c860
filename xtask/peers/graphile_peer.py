"""Graphile Worker: jobs added and run in batches by a process of Node.js."""

import json
import subprocess
from pathlib import Path

from database import find, postgres
from measure import PLACE, guarded, measure, output

SCRIPT = Path(__file__).with_name("graphile_worker.mjs")

with guarded(), postgres() as sockets:
    with open(PLACE / "node.log", "wb") as log:
        node = subprocess.Popen(
            ["node", SCRIPT, PLACE, sockets],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def expect(answer):
        said = node.stdout.readline().strip()
        if said != answer:
            raise SystemExit(f"node said '{said}' instead of '{answer}': see {PLACE}/node.log")

    def do(command):
        node.stdin.write(command + "\n")
        node.stdin.flush()
        expect("done")

    expect("ready")
    package = json.loads((PLACE / "node_modules/graphile-worker/package.json").read_text())
    measure(
        peer="graphile",
        version=f"{package['version']}, Node.js {output('node', '--version')[1:]}, "
        f"PostgreSQL {output(find('postgres'), '--version').split()[2]}",
        array=lambda tasks: do(f"array {tasks}"),
        single=lambda: do("single"),
        durable="yes, but a job's end leaves no result",
        isolation="none: a call in a warm Node.js process",
        note="batches of 500 and `completeJobBatchDelay`; 24 jobs at once in one process, single jobs one by one",
    )
    node.stdin.close()
    node.wait(20)
