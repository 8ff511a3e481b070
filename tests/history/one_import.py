"""A program that works on one import in small batches and ends: `python -m tests.history.one_import ID`."""

import sys

from webapp.config import Settings
from webapp.database import make_engine
from webapp.services.imports import running, storing

if __name__ == "__main__":
    storing.CALLS = dict.fromkeys(storing.CALLS, 500)
    settings = Settings.from_env()
    running.run(make_engine(settings), int(sys.argv[1]), settings=settings)
