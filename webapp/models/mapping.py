"""Which paths a source's calls tell, counted, for the page on which people map them."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Id, Micros

OTHERS = "*"
"""The path of the row that counts what is past the limit on paths of one source."""


class PathSighting(Base):
    """How many calls of one type told one path. Values are not kept: the page reads them in the inbox."""

    __tablename__ = "path_sightings"
    __table_args__ = (UniqueConstraint("source_id", "generation", "path", "call", "name"), NEVER_REUSED)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    generation: Mapped[int]
    """As of persons and companies: a rebuild counts anew."""
    path: Mapped[str]
    """As in a rule (`domain/paths.py`); empty for the row that counts the calls themselves."""
    call: Mapped[str]
    """`identify`, `track`, ..."""
    name: Mapped[str]
    """The event's name, in the rows that count track calls by name."""
    count: Mapped[int] = mapped_column(BigInteger)
    """Calls that told it."""
    first_event_id: Mapped[int] = mapped_column(BigInteger)
    """The least id among the events counted."""
    last_event_id: Mapped[int] = mapped_column(BigInteger)
    """The greatest: where the page finds a value when no recent event has one."""
    last_at: Mapped[Micros]
    """When that one was received."""
