"""Which tokens are known, so that most calls need no query of their own before their commit."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Engine

from webapp.models import now
from webapp.services import inbox
from webapp.webhook.lanes import Full, Lane

_SECONDS = 5.0
_MOST = 10_000
_STUCK = 2.0  # seconds after which a look-up is a sign that others need not wait behind it


@dataclass(frozen=True, slots=True)
class Standing:
    """What a token opens at this moment.

    Attributes:
        source_id: its source.
        url_id: its URL, or write key.
        kind: which of the two, `url` or `key`.
        replaced: whether there is a newer one.
        ended: whether calls are refused.
        signing: the sealed secret with which calls have to be signed; None: they need no signature.
    """

    source_id: int
    url_id: int
    kind: str
    replaced: bool
    ended: bool
    signing: bytes | None


class Tokens:
    """The tokens that opened something a moment ago.

    What is remembered only lets a call go on to be read. Whether it is stored is decided in the transaction
    that stores it, so a URL that was replaced or a source that was deleted counts from that very moment.

    A database that has gone silent holds few threads: whoever comes while some have waited for a while is
    turned away at once.
    """

    def __init__(self, engine: Engine, most: int = 8) -> None:
        """Args:
        engine: where the tokens are.
        most: threads that may ask the database at once.
        """
        self._engine = engine
        self._asking = Lane(most)
        self._since: dict[int, float] = {}
        self._opened: dict[bytes, tuple[float, Standing]] = {}
        self._lock = threading.Lock()

    def recall(self, digest: bytes) -> Standing | None:
        """What the token opened within the last seconds; None when that is not remembered."""
        until, standing = self._opened.get(digest, (0.0, None))
        return standing if until > time.monotonic() else None

    def look_up(self, digest: bytes) -> Standing | None:
        """What the token opens now, asked of the database; None: nothing, and nobody's.

        Raises:
            Full: others have been asking for too long.
            SQLAlchemyError: the database is away.
        """
        row = self._asked(digest)
        if row is None:
            self.forget(digest)
            return None
        ended = row.ends_at is not None and row.ends_at <= now()
        standing = Standing(
            row.source_id, row.url_id, row.kind, row.replaced_at is not None, ended, row.signing
        )
        if ended:
            self.forget(digest)
        else:
            self._remember(digest, standing)
        return standing

    def _asked(self, digest: bytes) -> inbox.Url | None:
        before = time.monotonic() - _STUCK
        if any(since < before for since in list(self._since.values())):
            raise Full
        with self._asking:
            this = threading.get_ident()
            self._since[this] = time.monotonic()
            try:
                with self._engine.connect() as connection:
                    return inbox.standing(connection, [digest]).get(digest)
            finally:
                del self._since[this]

    def forget(self, digest: bytes) -> None:
        """Ask the database at the next call."""
        self._opened.pop(digest, None)

    def _remember(self, digest: bytes, standing: Standing) -> None:
        with self._lock:
            if len(self._opened) >= _MOST:
                self._opened.clear()
            self._opened[digest] = time.monotonic() + _SECONDS, standing
