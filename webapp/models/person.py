"""What one source has told about humans and companies. Written by the fold, and only by it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Bytes, Id, Micros, where


class Identifier(Base):
    """One user id or anonymous id with everything told of it, and the person it belongs to now."""

    __tablename__ = "identifiers"
    __table_args__ = (UniqueConstraint("source_id", "generation", "key"), NEVER_REUSED)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    generation: Mapped[int]
    key: Mapped[Bytes]
    """`u` or `a` and the id as received (`domain/identity.py`)."""
    uuid: Mapped[str]
    """What the person is called if this identifier gives its name to it."""
    led: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Whether it ever gave its uuid to a person (`domain/persons.py`): it gets it back when persons part."""
    person_uuid: Mapped[str | None]
    """None while nothing was said of it (an anonymous id that only ever came beside a user id)."""
    tie_key: Mapped[Bytes | None]
    """The user id that an anonymous id belongs to by rule 2."""
    email: Mapped[str | None]
    """What ties: an anonymous id's own lower-case e-mail, a user id's with its tied ids' (rule 3)."""
    told: Mapped[Bytes]
    """The registers, as `domain/fold.py` packs them."""
    first_seen: Mapped[Micros | None]
    last_seen: Mapped[Micros | None]


class Person(Base):
    """A group of identifiers that are one human, independent of the policy."""

    __tablename__ = "persons"
    __table_args__ = (UniqueConstraint("source_id", "generation", "uuid"), NEVER_REUSED)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    generation: Mapped[int]
    uuid: Mapped[str]
    user_id: Mapped[str | None]
    email: Mapped[str | None]
    company: Mapped[Bytes | None]
    """Key of the company of the latest attachment."""
    first_seen: Mapped[Micros]
    last_seen: Mapped[Micros]


class Company(Base):
    """One group id with everything told of it."""

    __tablename__ = "companies"
    __table_args__ = (UniqueConstraint("source_id", "generation", "key"), NEVER_REUSED)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    generation: Mapped[int]
    key: Mapped[Bytes]
    """The group id as received, as bytes: PostgreSQL's text refuses some of them."""
    uuid: Mapped[str]
    told: Mapped[Bytes]
    first_seen: Mapped[Micros]
    last_seen: Mapped[Micros]


_i = (Identifier.source_id, Identifier.generation)
Index(
    "ix_identifiers_tie", *_i, Identifier.tie_key, **where("tie_key IS NOT NULL AND person_uuid IS NOT NULL")
)
Index("ix_identifiers_email", *_i, Identifier.email, **where("email IS NOT NULL"))
Index("ix_identifiers_person", *_i, Identifier.person_uuid, **where("person_uuid IS NOT NULL"))
_p = (Person.source_id, Person.generation)
Index("ix_persons_page", *_p, Person.id)
Index("ix_persons_company", *_p, Person.company, Person.id)
Index("ix_companies_page", Company.source_id, Company.generation, Company.id)
Index("ix_companies_uuid", Company.source_id, Company.generation, Company.uuid)
