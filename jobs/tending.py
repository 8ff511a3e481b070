"""Indexes of custom attributes are tended in a thread of their own, so that a long one holds no round up.

The thread ends with its process, whatever it is at: what it was at is done again (`attribute_indexes.tend`).
"""

from __future__ import annotations

from threading import Thread

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from jobs import tasks
from webapp.services import attribute_indexes

TENDING = "indexes"
"""Name of the thread that tends them."""
log = structlog.get_logger()


class Tender:
    """Tends the indexes once whenever it is asked to, and one time after the other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, unless it is still at it since the last time."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self.tend, name=TENDING, daemon=True)
            self._thread.start()

    def tend(self) -> None:
        """Make one index that is missing, if any is; a trouble is logged and the next time tries again."""
        try:
            attribute_indexes.tend(self._engine, tasks.stopping.is_set)
        except SQLAlchemyError as error:
            log.warning("sweeper.indexes_postponed", error=type(error).__name__)
        except Exception as error:
            log.exception("sweeper.indexes_failed", error=type(error).__name__)
