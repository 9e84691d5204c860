"""Dask distributed: `Client.map` of a function that does nothing."""

import distributed
from measure import SLOTS, guarded, measure, scratch


def noop(_):
    return None


def main():
    with guarded(), scratch() as folder:
        cluster = distributed.LocalCluster(
            n_workers=SLOTS,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(folder),
        )
        with cluster, distributed.Client(cluster) as client:
            measure(
                peer="dask",
                version=distributed.__version__,
                # `pure=False`: each call is a task of its own, though all are alike.
                array=lambda tasks: client.gather(client.map(noop, range(tasks), pure=False)),
                single=lambda: client.submit(noop, 0, pure=False).result(),
                durable="no",
                isolation="none: a call in a warm Python process",
                note="`Client.map` and `gather`, two worker processes of one thread",
            )


# Its processes import this file again.
if __name__ == "__main__":
    main()
