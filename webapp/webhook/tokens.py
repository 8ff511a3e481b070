"""Which tokens are known, so that most calls need no query of their own before their commit."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Engine

from webapp.models import now
from webapp.services import inbox

_SECONDS = 5.0
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What a token opens at this moment.

    Attributes:
        source_id: its source.
        url_id: its URL.
        replaced: whether there is a newer URL.
        ended: whether calls are refused.
    """

    source_id: int
    url_id: int
    replaced: bool
    ended: bool


class Tokens:
    """The tokens that opened something a moment ago.

    What is remembered only lets a call go on to be read. Whether it is stored is decided in the transaction
    that stores it, so a URL that was replaced or a source that was deleted counts from that very moment.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opened: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def remembers(self, digest: bytes) -> bool:
        """Whether the token was live within the last seconds."""
        return self._opened.get(digest, 0.0) > time.monotonic()

    def look_up(self, digest: bytes) -> Standing | None:
        """What the token opens now, asked of the database; None: nothing, and nobody's."""
        with self._engine.connect() as connection:
            row = inbox.standing(connection, [digest]).get(digest)
        if row is None:
            self.forget(digest)
            return None
        ended = row.ends_at is not None and row.ends_at <= now()
        if ended:
            self.forget(digest)
        else:
            self._remember(digest)
        return Standing(row.source_id, row.url_id, row.replaced_at is not None, ended)

    def forget(self, digest: bytes) -> None:
        """Ask the database at the next call."""
        self._opened.pop(digest, None)

    def _remember(self, digest: bytes) -> None:
        with self._lock:
            if len(self._opened) >= _MOST:
                self._opened.clear()
            self._opened[digest] = time.monotonic() + _SECONDS
