"""The registry of custom attributes: what the account knows of a key, and what each source told."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Id, Micros

ENTITIES = ("customer", "contact")
BY_HAND = 0
"""The generation of sightings that no source told: people set them by hand, so no rebuild takes them away."""

# How far the index of an attribute is: asked for, being made, in use, or not to be had.
WANTED, BUILDING, READY, FAILED = "wanted", "building", "ready", "failed"


class CustomAttribute(Base):
    """One key of customers or of contacts, as people have set it up."""

    __tablename__ = "custom_attributes"
    __table_args__ = (UniqueConstraint("entity", "key"), NEVER_REUSED)

    id: Mapped[Id]
    entity: Mapped[str]
    """`customer` or `contact`."""
    key: Mapped[str]
    hidden: Mapped[bool] = mapped_column(default=False)
    """Imported, but not offered as a column."""
    ignored: Mapped[bool] = mapped_column(default=False)
    """Not imported: a re-sync takes it off the records, and puts it back when this is undone."""
    changed_at: Mapped[Micros | None]
    """When it was last ignored or imported again; None: never."""


class AttributeSighting(Base):
    """What one source told of one key. A key's type follows from all sightings (`domain/attributes.py`)."""

    __tablename__ = "attribute_sightings"
    __table_args__ = (UniqueConstraint("source_id", "generation", "entity", "key"),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    generation: Mapped[int]
    entity: Mapped[str]
    key: Mapped[str]
    types: Mapped[int]
    """A bit for each type ever told: String 1, Integer 2, Decimal 4, Timestamp 8, Boolean 16."""
    over_limit: Mapped[bool] = mapped_column(default=False)
    """The source told more keys than it may: this one is counted here and kept nowhere else."""
    count: Mapped[int] = mapped_column(default=0)
    """Events that told it."""
    first_at: Mapped[Micros]
    first_event_id: Mapped[int]
    last_at: Mapped[Micros]


class AttributeIndex(Base):
    """A key that people sort or filter by, and its index (`services/attribute_indexes.py`)."""

    __tablename__ = "attribute_indexes"
    __table_args__ = (UniqueConstraint("entity", "key"), NEVER_REUSED)

    id: Mapped[Id]
    """Also in the index's name: `ix_customers_custom_<id>`."""
    entity: Mapped[str]
    key: Mapped[str]
    state: Mapped[str] = mapped_column(default=WANTED)
    shape: Mapped[str | None]
    """What the index sorts values as (`services/attributes.Known.shape`); None until there is one."""
    asked_at: Mapped[Micros]
    """When somebody last sorted or filtered by it, give or take a day."""
    changed_at: Mapped[Micros]
    """When it got into this state."""
