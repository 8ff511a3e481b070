"""A fair sample of the people and companies in an archive, of any size, in bounded memory.

Each is known by the digest of its id, and is in the sample when the digest begins with so many zero bits.
When the sample grows too large one more bit is asked for, which halves it. So whoever is in the sample is
there with all calls, and what is counted of it, times two for each bit, is about what the archive holds. Up
to `MOST_SUBJECTS` nothing is left out, and the numbers are exact.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, select

from webapp.domain.identity import company_key, user_key
from webapp.domain.policy import USER
from webapp.domain.segment import Reading
from webapp.domain.text import clean, is_email
from webapp.models import Company, Identifier, Source
from webapp.services.rows import select_in

MOST_SUBJECTS = 20_000
MOST_PLACES = 120_000
"""Pairs of subject and cell that are kept."""

PERSON, EMAIL, COMPANY = b"p", b"e", b"c"
PRESENT, ATTACHED = 1, 2
"""What a cell's calls say of a subject: that it is there; that the person belongs to a company, or the
address to somebody with a user id."""

_PACK = msgspec.msgpack.Encoder()
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Appearing:
    """What would appear in the tables that is not there yet.

    Attributes:
        customers: companies, and people who become customers of their own.
        contacts: people.
        waiting: people who would wait for a company.
        one_in: how many people and companies each that was counted stands for; 1: all were counted.
    """

    customers: int
    contacts: int
    waiting: int
    one_in: int


@dataclass(slots=True)
class Crowd:
    """The sample: of each subject, in which cells it occurs.

    Attributes:
        bits: how many zero bits a digest must begin with.
        subjects: `{subject: {cell: PRESENT, ATTACHED or both}}`; a subject is a letter and an id.
    """

    bits: int = 0
    subjects: dict[bytes, dict[Cell, int]] = field(default_factory=dict)
    _places: int = 0

    def add(self, cell: Cell, reading: Reading) -> None:
        """Take in whom a call speaks of."""
        email = reading.contact.get("email")
        if reading.user_id is not None:
            attached = reading.group_id is not None
            self._note(PERSON + user_key(reading.user_id), cell, PRESENT | ATTACHED * attached)
            email = email or (reading.user_id if is_email(reading.user_id) else None)
        if email:
            owned = reading.user_id is not None
            bits = ATTACHED if owned else PRESENT
            self._note(EMAIL + email.lower().encode("utf-8", "surrogatepass"), cell, bits)
        if reading.group_id is not None:
            self._note(COMPANY + company_key(reading.group_id), cell, PRESENT)

    def appearing(self, connection: Connection, source: Source, cells: Collection[Cell]) -> Appearing:
        """Count what the calls of some cells would bring.

        People with a user id are counted by it, and others who tell an e-mail by that. Whoever the source
        knows already is left out.
        """
        seen = {subject: said for subject, said in self._said(cells) if said & PRESENT}
        owned = {subject for subject, said in self._said(cells) if said & ATTACHED}
        seen = {s: said for s, said in seen.items() if s[:1] != EMAIL or s not in owned}
        known = _known(connection, source, seen)
        new = {subject: said for subject, said in seen.items() if subject not in known}
        companies = sum(subject[:1] == COMPANY for subject in new)
        people = len(new) - companies
        # An address without a user id stands for itself; whether its calls named a company is not looked at.
        alone = sum(subject[:1] != COMPANY and not said & ATTACHED for subject, said in new.items())
        times = 1 << self.bits
        if source.policy == USER:
            return Appearing((companies + alone) * times, people * times, 0, times)
        return Appearing(companies * times, (people - alone) * times, alone * times, times)

    def dump(self) -> bytes:
        """All of it, packed."""
        rows = [(s, [(*cell, said) for cell, said in places.items()]) for s, places in self.subjects.items()]
        return zlib.compress(_PACK.encode((self.bits, rows)), 1)

    @classmethod
    def load(cls, packed: bytes) -> Crowd:
        """What `dump` packed."""
        bits, rows = msgspec.msgpack.decode(
            zlib.decompress(packed), type=tuple[int, list[tuple[bytes, list[tuple[int, int, int]]]]]
        )
        subjects = {s: {(day, kind): said for day, kind, said in places} for s, places in rows}
        return cls(bits, subjects, sum(map(len, subjects.values())))

    def _note(self, subject: bytes, cell: Cell, said: int) -> None:
        if self.bits and not self._is_in(subject):
            return
        places = self.subjects.setdefault(subject, {})
        before = places.get(cell)
        places[cell] = said | (before or 0)
        if before is None:
            self._places += 1
            if len(self.subjects) > MOST_SUBJECTS or self._places > MOST_PLACES:
                self._halve()

    def _is_in(self, subject: bytes) -> bool:
        digest = int.from_bytes(blake2b(subject[1:], digest_size=8, key=subject[:1]).digest())
        return digest >> (64 - self.bits) == 0

    def _halve(self) -> None:
        self.bits += 1
        self.subjects = {s: places for s, places in self.subjects.items() if self._is_in(s)}
        self._places = sum(map(len, self.subjects.values()))

    def _said(self, cells: Collection[Cell]) -> Iterator[tuple[bytes, int]]:
        for subject, places in self.subjects.items():
            said = 0
            for cell, bits in places.items():
                if cell in cells:
                    said |= bits
            yield subject, said


def _known(connection: Connection, source: Source, subjects: Collection[bytes]) -> set[bytes]:
    """Those of some subjects that a source knows already."""
    known: set[bytes] = set()
    for letter, column, found in (
        (PERSON, Identifier.key, select(Identifier.key)),
        (EMAIL, Identifier.email, select(Identifier.email)),
        (COMPANY, Company.key, select(Company.key)),
    ):
        model = Company if letter == COMPANY else Identifier
        here = found.where(model.source_id == source.id, model.generation == source.generation)
        ids: list[object] = [subject[1:] for subject in subjects if subject[:1] == letter]
        if letter == EMAIL:
            ids = [clean(each.decode(errors="replace")) for each in ids if isinstance(each, bytes)]
        rows = select_in(connection, here, column, ids)
        known |= {letter + (row[0] if isinstance(row[0], bytes) else row[0].encode()) for row in rows}
    return known
