"""One batch of read events joined to what is stored of a source's persons and companies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from webapp.domain.fold import Told, combine, fold, pack, unpack
from webapp.domain.segment import Reading
from webapp.domain.sighting import seen_in, take_out
from webapp.models import Company
from webapp.models.base import new_uuid
from webapp.services import sightings
from webapp.services.identities import Change, Neighbourhood
from webapp.services.placing import CompanyView
from webapp.services.rows import select_in, upsert

_COMPANIES = select(Company.key, Company.uuid, Company.told).where(
    Company.source_id == bindparam("source"), Company.generation == bindparam("generation")
)


@dataclass(slots=True)
class Folded:
    """What a batch changed: persons, and companies; and the bytes that were stored of all of them before."""

    people: Change
    companies: list[CompanyView]
    stored: int


def fold_into(
    connection: Connection,
    source_id: int,
    generation: int,
    readings: list[tuple[int, Reading]],
    *,
    attribute_limit: int,
    rebuilding: bool = False,
) -> Folded:
    """Fold a batch into one generation of a source's persons and companies.

    Args:
        readings: pairs of event id and what the event says.
        attribute_limit: how many custom attributes the source may have.
        rebuilding: whether this generation is one that a rebuild is making.
    """
    refused = sightings.note(connection, source_id, generation, seen_in(readings), attribute_limit)
    if refused:
        take_out(readings, refused)
    return join(connection, source_id, generation, *fold(readings), rebuilding=rebuilding)


def join(
    connection: Connection,
    source_id: int,
    generation: int,
    told_people: dict[bytes, Told],
    told_companies: dict[bytes, Told],
    *,
    rebuilding: bool = False,
) -> Folded:
    """Join what a batch told of identifiers and of companies, by key, to what is stored of them."""
    companies, stored = _join_companies(connection, source_id, generation, told_companies, rebuilding)
    people = Neighbourhood(connection, source_id, generation, rebuilding).change(told_people)
    return Folded(people, companies, stored + people.stored)


def _join_companies(
    connection: Connection, source_id: int, generation: int, told: dict[bytes, Told], rebuilding: bool
) -> tuple[list[CompanyView], int]:
    if not told:
        return [], 0
    stored = _companies(connection, source_id, generation, told)
    earlier: Mapping[bytes, Any] = {}
    if rebuilding:  # a company keeps the name that the generation before gave it
        new = [key for key in told if key not in stored]
        earlier = _companies(connection, source_id, generation - 1, new)
    views = []
    for key, words in told.items():
        row = stored.get(key)
        if row is None:
            uuid = earlier[key].uuid if key in earlier else new_uuid()
            views.append(CompanyView(key, uuid, words))
        else:
            views.append(CompanyView(key, row.uuid, combine(unpack(row.told), words)))
    rows = [
        {
            "source_id": source_id,
            "generation": generation,
            "key": view.key,
            "uuid": view.uuid,
            "told": pack(view.told),
            "first_seen": view.told.first_seen,
            "last_seen": view.told.last_seen,
        }
        for view in views
    ]
    upsert(connection, Company, rows, ("source_id", "generation", "key"), keep=("uuid",))
    return views, sum(len(row.told) for row in stored.values())


def _companies(
    connection: Connection, source_id: int, generation: int, keys: Iterable[bytes]
) -> dict[bytes, Any]:
    """What is stored of some companies, by key."""
    given = {"source": source_id, "generation": generation}
    return {row.key: row for row in select_in(connection, _COMPANIES, Company.key, keys, **given)}
