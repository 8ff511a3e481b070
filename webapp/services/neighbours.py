"""Whether others write to SQLite between two steps of long work; then they wait for each of them."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from sqlalchemy import Engine


class Neighbours:
    """Looks at SQLite's count of changes on a connection of its own. On PostgreSQL nobody is in the way."""

    def __init__(self, engine: Engine) -> None:
        self._connection: Any = engine.raw_connection() if engine.dialect.name == "sqlite" else None
        self._version = 0

    def __enter__(self) -> Neighbours:
        self.look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def look(self) -> bool:
        """Whether anybody has committed since this was last asked."""
        if self._connection is None:
            return False
        before, self._version = self._version, self._connection.execute("PRAGMA data_version").fetchone()[0]
        return bool(self._version != before)
