"""A clock that counts processor time: ours, and that of PostgreSQL's processes which serve us.

On a machine that others use too the time that passes says more about them than about us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

_OURS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


def clock(engine: Engine) -> Callable[[], float]:
    """Seconds of processor time up to now, for pages that this process makes from a database.

    Args:
        engine: of the database; PostgreSQL has to run on this machine, and on Linux.
    """
    if engine.dialect.name != "postgresql":
        return time.process_time

    def seconds() -> float:
        with engine.connect() as connection:
            pids = connection.scalars(text(_OURS)).all()
        return time.process_time() + sum(map(_spent, pids))

    return seconds


def _spent(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:  # it has ended since
        return 0.0
