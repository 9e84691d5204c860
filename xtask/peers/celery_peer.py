"""Celery: a group of a task that does nothing, two worker processes."""

import os
import signal
import sys

import celery
from measure import SLOTS, answers, free_port, guarded, measure, output, scratch, server, wait_for

with guarded(), scratch() as folder:
    port = free_port()
    redis = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder]
    # In memory alone, which is the fastest that it can do.
    with server([*redis, "--save", "", "--appendonly", "no"], "redis"):
        wait_for("redis", lambda: answers(port))
        os.environ["PEER_REDIS"] = f"redis://127.0.0.1:{port}/0"
        from celery_tasks import app, noop

        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker"]
        worker += ["-c", SLOTS, *quiet, "--loglevel", "WARNING"]
        # SIGQUIT is its stop without finishing what it fetched.
        with server(worker, "worker", env=os.environ, stop=signal.SIGQUIT):
            wait_for("the worker", lambda: app.control.ping(timeout=0.5))
            measure(
                peer="celery",
                version=f"{celery.__version__}, Redis {output('redis-server', '--version').split('v=')[1].split()[0]}",
                array=lambda tasks: celery.group(noop.s() for _ in range(tasks))().get(),
                single=lambda: noop.delay().get(),
                durable="no (a broker in memory)",
                isolation="none: a call in a warm Python process",
                note="`group(…)().get()`, prefork with two processes",
            )
