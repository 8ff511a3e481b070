"""Where a page begins: behind one row, or before it. Signed, so that nobody can make up another."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from itsdangerous import BadSignature, URLSafeSerializer

Key = str | int | float | Decimal | None
"""What a row sorts by; None: it has nothing in the column, so it stands at the end."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """One row's place in one order.

    Attributes:
        sort: the order it belongs to (`View.ordering`).
        key: what the row sorts by.
        id: the row's id, which decides between equal keys.
        back: the page ends before the row instead of beginning behind it.
        total: how many rows the view had, where the first page came to know it.
    """

    sort: str
    key: Key
    id: int
    back: bool = False
    total: int | None = None

    def dump(self, secret: str) -> str:
        """The cursor as an address bears it."""
        key = {"decimal": str(self.key)} if isinstance(self.key, Decimal) else self.key
        return str(_signer(secret).dumps([self.sort, key, self.id, int(self.back), self.total]))

    @classmethod
    def load(cls, text: str, secret: str) -> Cursor | None:
        """What `dump` wrote; None when it was not written here, or with another secret."""
        try:
            sort, key, id, back, total = _signer(secret).loads(text)
        except (BadSignature, ValueError, TypeError):
            return None
        if isinstance(key, dict):
            key = Decimal(key["decimal"])
        return cls(sort, key, id, bool(back), total)


def _signer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="tributary table cursor")
