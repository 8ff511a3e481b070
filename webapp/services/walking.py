"""Walking through a source's companies, each with the persons attached to it, a page after the other.

The walk goes along the companies' keys, by which both tables have an index. A page ends anywhere, among the
persons of a company too: of one with a million nobody could hold all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, LargeBinary, Select, bindparam, select, tuple_

from webapp.models import Company, Person

_WITHIN = ": "
"""Between the name of a phase and the last person that is done with in the company of the `cursor`."""

_KEY = select(Company.key).where(Company.id == bindparam("id"))
_PERSONS = (
    select(Person.id, Person.uuid, Person.company)
    .where(Person.source_id == bindparam("source"), Person.generation == bindparam("generation"))
    .where(
        tuple_(Person.company, Person.id)
        > tuple_(bindparam("company", type_=LargeBinary()), bindparam("id", type_=BigInteger()))
    )
    .order_by(Person.company, Person.id)
    .limit(bindparam("most"))
)
_COMPANIES = (
    select(Company.id, Company.key, Company.uuid, Company.told)
    .where(Company.source_id == bindparam("source"), Company.generation == bindparam("generation"))
    .where(Company.key > bindparam("after"))
    .order_by(Company.key)
    .limit(bindparam("most"))
)
_SOME_COMPANIES = _COMPANIES.where(Company.key <= bindparam("until"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """One page of the walk.

    Attributes:
        companies: rows of `id, key, uuid, told`; of one in which the page before ended not again.
        persons: rows of `id, uuid, company`, and what else was asked for.
        company_id: of the company that the page ended in.
        person_id: of the last of its persons that the page has; 0 without any.
    """

    companies: Sequence[Any] = ()
    persons: Sequence[Any] = ()
    company_id: int = 0
    person_id: int = 0

    @property
    def count(self) -> int:
        return len(self.companies) + len(self.persons)


def phase_of(sync: Any) -> str:
    """The phase that long work is in, without how far it is."""
    return str(sync.phase.partition(_WITHIN)[0])


def phase_at(sync: Any, stretch: Stretch) -> str:
    """The phase of long work after a page, with how far it is within the company of its cursor."""
    return f"{phase_of(sync)}{_WITHIN}{stretch.person_id}" if stretch.person_id else phase_of(sync)


def stretch(connection: Connection, sync: Any, source: Any, more: ColumnElement[Any], limit: int) -> Stretch:
    """The next page behind where long work is.

    Args:
        sync: its row, with the company that it came to as its `cursor`.
        source: its row.
        more: a labelled expression to read of each person, a constant.
        limit: companies at most, and persons.
    """
    key = connection.scalar(_KEY, {"id": sync.cursor}) or b""
    within = int(sync.phase.partition(_WITHIN)[2] or 0)
    persons = _persons(connection, source, more, (key, within), limit)
    cut = persons[-1].company if len(persons) == limit else None
    companies = _companies(connection, source, key, cut, limit)
    if len(companies) == limit:
        persons = [row for row in persons if row.company <= companies[-1].key]
    if not companies and not persons:
        return Stretch()
    last = companies[-1] if companies else None
    key, id = (key, sync.cursor) if last is None else (last.key, last.id)
    person_id = persons[-1].id if persons and persons[-1].company == key else 0
    return Stretch(companies, persons, id, person_id)


def _persons(
    connection: Connection, source: Any, more: ColumnElement[Any], after: tuple[bytes, int], limit: int
) -> list[Any]:
    told = {"source": source.id, "generation": source.generation, "company": after[0], "id": after[1]}
    return list(connection.execute(_persons_with(more), told | {"most": limit}).all())


@lru_cache(maxsize=8)
def _persons_with(more: ColumnElement[Any]) -> Select[Any]:
    return _PERSONS.add_columns(more)


def _companies(
    connection: Connection, source: Any, after: bytes, until: bytes | None, limit: int
) -> list[Any]:
    told = {"source": source.id, "generation": source.generation, "after": after, "most": limit}
    if until is None:
        return list(connection.execute(_COMPANIES, told).all())
    return list(connection.execute(_SOME_COMPANIES, told | {"until": until}).all())
