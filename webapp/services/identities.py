"""Keeping identifiers and persons: what a batch told is joined to what is stored, and the persons around what
it touched are worked out again. Few queries a batch, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from webapp.domain import persons
from webapp.domain.fold import Told, combine, pack, unpack
from webapp.domain.persons import Node, Person
from webapp.domain.text import clean
from webapp.models import Identifier
from webapp.models import Person as PersonRow
from webapp.models.base import new_uuid
from webapp.services.rows import select_in, upsert

_HERE = (Identifier.source_id == bindparam("source"), Identifier.generation == bindparam("generation"))
_NODES = select(
    Identifier.key,
    Identifier.uuid,
    Identifier.led,
    Identifier.person_uuid,
    Identifier.email,
    Identifier.told,
).where(*_HERE)
_LOADED_BY: dict[Any, Any] = {
    Identifier.key: _NODES,
    # Not "is not null": SQLite takes that for a range of another index, and goes through all persons.
    Identifier.tie_key: _NODES.where(Identifier.person_uuid != ""),
    # Who is tied to a user is found with that one.
    Identifier.email: _NODES.where(Identifier.tie_key.is_(None)),
}
_NAMES = select(Identifier.key, Identifier.uuid, Identifier.led, Identifier.person_uuid).where(*_HERE)
_MEMBERS = select(Identifier.key, Identifier.uuid, Identifier.person_uuid, Identifier.told).where(*_HERE)
_GONE = delete(PersonRow).where(
    PersonRow.source_id == bindparam("source"),
    PersonRow.generation == bindparam("generation"),
    PersonRow.uuid.in_(bindparam("gone", expanding=True)),
)


@dataclass(slots=True)
class Change:
    """What a batch did to the persons of a source."""

    persons: list[Person] = field(default_factory=list)
    """Persons that are new or may have become others."""
    gone: set[str] = field(default_factory=set)
    """Uuids of persons that became part of another."""
    stored: int = 0
    """Bytes that had been told before of the identifiers that were looked at."""


class Neighbourhood:
    """The identifiers around what a batch touched, loaded until the set is closed."""

    def __init__(
        self, connection: Connection, source_id: int, generation: int, rebuilding: bool = False
    ) -> None:
        self.connection = connection
        self.place = {"source": source_id, "generation": generation}
        self.rebuilding = rebuilding
        self.nodes: dict[bytes, Node] = {}
        self.stored: dict[bytes, tuple[str | None, int, str | None]] = {}
        """What the rows held of (person uuid, led, e-mail), to write only what changed."""
        self.bytes = 0

    def change(self, told: Mapping[bytes, Told]) -> Change:
        """Join what a batch told of identifiers and work out the persons it concerns.

        Args:
            told: by identifier key, as `domain/fold.py` folds a batch.
        """
        if not told:
            return Change()
        self._load(Identifier.key, told)
        before = [(node.tie, node.email) for key in told if (node := self.nodes.get(key))]
        self._join(told)
        self._close(told, before)
        return self._settle(told)

    def _load(self, column: Any, values: Iterable[object]) -> list[Node]:
        """Load the identifiers whose column is one of some values, but those that are here already.

        Args:
            column: one of `_LOADED_BY`.
        """
        loaded = []
        for row in select_in(self.connection, _LOADED_BY[column], column, values, **self.place):
            if row.key in self.nodes:
                continue
            node = Node(row.key, unpack(row.told), row.uuid, row.led, row.person_uuid, row.email)
            self.nodes[row.key] = node
            self.stored[row.key] = (node.person_uuid, node.led, node.email)
            self.bytes += len(row.told)
            loaded.append(node)
        return loaded

    def _join(self, told: Mapping[bytes, Told]) -> None:
        earlier = self._earlier_uuids([key for key in told if key not in self.nodes])
        for key, words in told.items():
            node = self.nodes.get(key)
            if node is None:
                uuid, led = earlier.get(key) or (new_uuid(), persons.NEVER)
                self.nodes[key] = Node(key, words, uuid, led)
            else:
                node.told = combine(node.told, words)

    def _earlier_uuids(self, keys: list[bytes]) -> dict[bytes, tuple[str, int]]:
        """A rebuild calls everybody what the generation before it called them."""
        if not self.rebuilding:
            return {}
        before = {**self.place, "generation": self.place["generation"] - 1}
        found = {}
        for row in select_in(self.connection, _NAMES, Identifier.key, keys, **before):
            leads = row.person_uuid == row.uuid
            found[row.key] = (row.uuid, persons.HEIR if leads else min(row.led, persons.ONCE))
        return found

    def _close(self, told: Mapping[bytes, Told], before: list[tuple[bytes | None, str | None]]) -> None:
        touched = [self.nodes[key] for key in told]
        users = {node.key for node in touched if node.is_user}
        users |= {node.tie for node in touched if node.tie}
        users |= {tie for tie, _ in before if tie}
        emails = {email for _, email in before if email}
        self._load(Identifier.key, users - self.nodes.keys())
        emails |= {email for key in users if (email := self.nodes[key].email)}
        self._load(Identifier.tie_key, users)
        self._read_emails(touched, users)
        emails |= {email for key in users if (email := self.nodes[key].email)}
        emails |= {node.email for node in touched if node.email}
        nearby = self._load(Identifier.email, emails)
        self._load(Identifier.tie_key, [node.key for node in nearby if node.is_user])

    def _read_emails(self, touched: list[Node], users: set[bytes]) -> None:
        tied: dict[bytes, list[Node]] = {}
        for node in self.nodes.values():
            if node.tie:
                tied.setdefault(node.tie, []).append(node)
        for node in touched:
            if not node.is_user:
                node.email = persons.own_email(node.told)
        for key in users:
            self.nodes[key].email = persons.core_email(self.nodes[key], tied.get(key, ()))

    def _settle(self, told: Mapping[bytes, Told]) -> Change:
        change = Change(stored=self.bytes)
        touched = set(told)
        before = {node.key: node.person_uuid for node in self.nodes.values()}
        found = list(persons.groups(self.nodes).values())
        for members in found:
            persons.appoint(members, self.rebuilding)
        moved = {before[node.key] for node in self.nodes.values() if before[node.key] != node.person_uuid}
        for members in found:
            changed = any(node.key in touched or before[node.key] != node.person_uuid for node in members)
            if changed or members[0].person_uuid in moved:
                change.persons.append(persons.person_of(members))
        change.gone = {uuid for uuid in before.values() if uuid} - {
            node.person_uuid for node in self.nodes.values() if node.person_uuid
        }
        self._write(touched, change)
        return change

    def _write(self, touched: set[bytes], change: Change) -> None:
        changed = [
            node
            for key, node in self.nodes.items()
            if key in touched or self.stored[key] != (node.person_uuid, node.led, node.email)
        ]
        base = {"source_id": self.place["source"], "generation": self.place["generation"]}
        rows = [base | _identifier_row(node) for node in changed]
        upsert(self.connection, Identifier, rows, ("source_id", "generation", "key"), keep=("uuid",))
        rows = [base | _person_row(person) for person in change.persons]
        upsert(self.connection, PersonRow, rows, ("source_id", "generation", "uuid"))
        if change.gone:
            self.connection.execute(_GONE, {**self.place, "gone": sorted(change.gone)})


def _identifier_row(node: Node) -> dict[str, object]:
    return {
        "key": node.key,
        "uuid": node.uuid,
        "led": node.led,
        "person_uuid": node.person_uuid,
        "tie_key": node.tie,
        "email": node.email,
        "told": pack(node.told),
        "first_seen": node.told.first_seen,
        "last_seen": node.told.last_seen,
    }


def _person_row(person: Person) -> dict[str, object]:
    return {
        "uuid": person.uuid,
        "user_id": clean(person.user_id) if person.user_id is not None else None,
        "email": person.email,
        "company": person.company,
        "first_seen": person.first_seen,
        "last_seen": person.last_seen,
    }


def persons_by_uuid(
    connection: Connection, source_id: int, generation: int, uuids: Iterable[str]
) -> list[Person]:
    """Persons as they are stored, put together from their identifiers again."""
    given = {"source": source_id, "generation": generation}
    members: dict[str, list[Node]] = {}
    for row in select_in(connection, _MEMBERS, Identifier.person_uuid, uuids, **given):
        node = Node(row.key, unpack(row.told), row.uuid, person_uuid=row.person_uuid)
        members.setdefault(row.person_uuid, []).append(node)
    return [persons.person_of(members[uuid]) for uuid in sorted(members)]
