"""wasmhost: an array of no-op components, and single jobs, by its HTTP API."""

import http.client
import json
import os
import socket

from measure import SLOTS, answers, free_port, guarded, measure, output, scratch, server, wait_for

WASMHOST, TASK = os.environ.pop("WASMHOST"), os.environ.pop("WASMHOST_TASK")
#: How long one request waits for the end of a job, in milliseconds.
WAIT = 10_000


class Api:
    """The API over one connection that stays open."""

    def __init__(self, port, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.headers = {"authorization": f"Bearer {token}"}

    def ask(self, method, path, body=None, kind="application/json"):
        headers = self.headers | {"content-type": kind}
        self.connection.request(method, f"/api/v1/{path}", body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def json(self, method, path, *body):
        status, text = self.ask(method, path, *body)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {text.decode()}")
        return json.loads(text)

    def submit(self, definition):
        body = json.dumps({"definition": definition}).encode()
        return self.json("POST", "jobs", body)["id"]

    def ended(self, job):
        """Waits until the job has ended well."""
        while (state := self.json("GET", f"jobs/{job}?wait_ms={WAIT}")["state"]) != "succeeded":
            if state in ("failed", "cancelled"):
                raise SystemExit(f"job {job} {state}")

    def result(self, job):
        """Waits for the result of the job's only task."""
        while True:
            status, result = self.ask("GET", f"jobs/{job}/result?wait_ms={WAIT}")
            if status == 200:
                return result
            if json.loads(result)["code"] != "not_ended":
                raise SystemExit(f"job {job}: {result.decode()}")


with guarded(), scratch() as folder:
    port, link = free_port(), free_port(socket.SOCK_DGRAM)
    # Settings of whoever runs this do not count.
    env = {name: value for name, value in os.environ.items() if not name.startswith("WASMHOST_")}
    env |= {"WASMHOST_DATA_DIR": str(folder), "XDG_CONFIG_HOME": str(folder), "WASMHOST_LOG": "warn"}
    listen = ["--listen", f"127.0.0.1:{link}", "--http", f"127.0.0.1:{port}"]
    with server([WASMHOST, "run-primary", *listen], "primary", env=env):
        token = folder / "primary/client.token"
        wait_for("the primary's token", token.exists)
        api = Api(port, token.read_text().strip())
        wait_for("the primary", lambda: answers(port))
        join = api.json("POST", "tokens", b'{"kind": "join"}')["secret"]
        worker = ["run-worker", "--primary", f"127.0.0.1:{link}", "--name", "w1", "--slots", SLOTS]
        with server([WASMHOST, *worker], "worker", env=env | {"WASMHOST_JOIN_TOKEN": join}):
            wait_for("the worker", lambda: any(w["state"] == "up" for w in api.json("GET", "workers")["items"]))
            with open(TASK, "rb") as module:
                api.json("POST", "modules?name=noop&version=1.0", module.read(), "application/wasm")
            task = '[task]\nmodule = "noop"\n'
            one = task + 'input = ""\n'
            measure(
                peer="wasmhost",
                version=output(WASMHOST, "--version").split()[1],
                array=lambda tasks: api.ended(api.submit(f"{task}array = {{ range = [0, {tasks}] }}\n")),
                single=lambda: api.result(api.submit(one)),
                durable="yes: submission and result are committed to disk",
                isolation="a WebAssembly sandbox for each task, in executor processes",
                note="an array of one component; the client waits on one connection",
            )
