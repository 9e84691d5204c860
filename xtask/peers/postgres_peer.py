"""A task queue in two tables of PostgreSQL, as its good libraries do it.

Workers claim a batch with SKIP LOCKED, run it, and record its results in the
same transaction, so that a worker's death gives its tasks back. Both sides are
woken by NOTIFY. The client counts what was committed.
"""

import multiprocessing
from contextlib import ExitStack

import psycopg
from database import postgres
from measure import SLOTS, guarded, measure

#: Tasks that one transaction claims and ends.
BATCH = 500

SCHEMA = """
    create table queue (id bigint generated always as identity primary key, input bytea);
    create table results (id bigint primary key, result bytea);
"""
CLAIM = """
    delete from queue where id = any(array(
        select id from queue order by id for update skip locked limit %s
    )) returning id, input
"""
RECORD = "insert into results select * from unnest(%s::bigint[], %s::bytea[])"


def noop(_):
    return b""


def work(sockets):
    with psycopg.connect(host=sockets, user="peers", dbname="postgres", autocommit=True) as db:
        db.execute("listen work")
        while True:
            with db.transaction():
                tasks = db.execute(CLAIM, [BATCH]).fetchall()
                results = [noop(data) for _, data in tasks]
                if tasks:
                    db.execute(RECORD, [[task for task, _ in tasks], results])
                    db.execute("select pg_notify('done', %s)", [str(len(tasks))])
            if not tasks:
                next(db.notifies(stop_after=1))


def main():
    with guarded(), postgres() as sockets:
        connect = {"host": sockets, "user": "peers", "dbname": "postgres", "autocommit": True}
        with psycopg.connect(**connect) as db, psycopg.connect(**connect) as ear, ExitStack() as workers:
            db.execute(SCHEMA)
            ear.execute("listen done")
            for _ in range(SLOTS):
                worker = multiprocessing.Process(target=work, args=[sockets], daemon=True)
                worker.start()
                workers.callback(worker.terminate)

            def until_done(tasks):
                for notice in ear.notifies():
                    tasks -= int(notice.payload)
                    if tasks == 0:
                        return

            def array(tasks):
                with db.transaction():
                    db.execute("insert into queue (input) select '' from generate_series(1, %s)", [tasks])
                    db.execute("notify work")
                until_done(tasks)

            def single():
                with db.transaction():
                    task = db.execute("insert into queue (input) values ('') returning id").fetchone()
                    db.execute("notify work")
                until_done(1)
                db.execute("select result from results where id = %s", task).fetchone()

            measure(
                peer="postgres",
                version=str(db.info.server_version // 10_000) + f", psycopg {psycopg.__version__}",
                array=array,
                single=single,
                # Its automatic form comes once a minute, and a queue is told to have it more often.
                settle=lambda: db.execute("vacuum analyze queue, results"),
                durable="yes: submission and result are committed to disk",
                isolation="none: a call in a warm Python process",
                note=f"SKIP LOCKED, {BATCH} tasks a transaction, two worker processes, woken by NOTIFY",
            )


if __name__ == "__main__":
    main()
