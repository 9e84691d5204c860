"""The application that both ends of Celery import. Owns its settings."""

import os

from celery import Celery

app = Celery("peers", broker=os.environ["PEER_REDIS"], backend=os.environ["PEER_REDIS"])
# Many small tasks: its guide advises fetching ahead and leaving out what nobody reads.
app.conf.update(
    worker_prefetch_multiplier=256,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop():
    return None
