"""One write transaction of a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from webapp.database import writing


@contextmanager
def write(session: Session) -> Iterator[None]:
    """Commit what the block does, or nothing of it.

    What the session read before ends first: SQLite takes its write lock when a transaction begins, and what
    was read before that may be old. Rows that were loaded are loaded again when they are next looked at.
    """
    session.rollback()
    try:
        with writing():
            yield
            session.commit()
    except BaseException:
        session.rollback()
        raise
