"""A worker for long work that looks often whether other work waits: `python -m tests.history.hasty_worker`.

The product's own looks every two seconds, for which an import would have to be a long one.
"""

import sys

from jobs import tasks, worker

if __name__ == "__main__":
    tasks.SLICE = 0.05
    sys.exit(worker.main(["syncs"]))
