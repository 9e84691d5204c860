"""Ray: remote calls of a function that does nothing."""

import tempfile

import ray
from measure import SLOTS, guarded, measure


@ray.remote
def noop():
    return None


def main():
    # The paths of its sockets must be short; what else it writes there is logs.
    with guarded(), tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(
            _temp_dir=folder,
            num_cpus=SLOTS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
        )
        try:
            measure(
                peer="ray",
                version=ray.__version__,
                array=lambda tasks: ray.get([noop.remote() for _ in range(tasks)]),
                single=lambda: ray.get(noop.remote()),
                durable="no",
                isolation="none: a call in a warm Python process",
                note="`ray.get` of a list of remote calls",
            )
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main()
