"""What an archive holds, counted while it is looked through: enough to answer any choice, whatever its size.

Exact are the numbers of calls, per day, type and event. Of bodies a few are kept as examples, and of people
and companies a fair sample (`crowd.py`).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from webapp.domain.calls import MICROS_PER_DAY, TYPES, Choice, Glance, day_of
from webapp.domain.segment import Reading
from webapp.services.imports.crowd import Crowd

OTHER = "…"
"""Stands for the names that are past MOST_KINDS."""
MOST_KINDS = 300
MOST_CELLS = 60_000
MOST_LINES = 50
EXAMPLES = 20
_MOST_EXAMPLES, _LONGEST_EXAMPLE, _MOST_BYTES = 2000, 16_384, 3 << 20
_PACK = msgspec.msgpack.Encoder()


class Example(msgspec.Struct, frozen=True, array_like=True):
    """A call that is kept to be shown."""

    kind: int
    time: int
    body: bytes


class _Kept(msgspec.Struct):
    kinds: list[tuple[str, str]]
    cells: list[tuple[int, int, int]]
    coarse: bool
    problems: list[tuple[str, int, str]]
    numbers: dict[str, int]
    examples: list[Example]
    crowd: bytes


@dataclass(slots=True)
class Findings:
    """What has been found so far.

    Attributes:
        kinds: (type, event name) of every kind of call, in the order in which they came.
        cells: how many calls there are, by (day since the epoch, place in `kinds`).
        coarse: there were too many days and kinds to count each: some are counted under the first of their
            month.
        first, last: the least and greatest time of a call, in microseconds; None without a call.
        untimed: calls that tell no readable time, or one to come; they count as told when they are imported.
        unreadable: texts and files that cannot be read.
        problems: the first of these: (file, line, reason).
        crowd: the sample of people and companies.
    """

    kinds: list[tuple[str, str]] = field(default_factory=list)
    cells: Counter[tuple[int, int]] = field(default_factory=Counter)
    coarse: bool = False
    first: int | None = None
    last: int | None = None
    untimed: int = 0
    unreadable: int = 0
    problems: list[tuple[str, int, str]] = field(default_factory=list)
    crowd: Crowd = field(default_factory=Crowd)
    _places: dict[tuple[str, str], int] = field(default_factory=dict)
    _examples: list[Example] = field(default_factory=list)
    _bytes: int = 0
    _seen: Counter[tuple[int, int]] = field(default_factory=Counter)
    _each: int = 4
    _days: int = 1

    def add(self, call: Glance, reading: Reading, body: bytes, received_at: int) -> None:
        """Count one call, looked at as if it had been received at an instant."""
        kind = self._place(call.type, call.name)
        day = call.time // MICROS_PER_DAY
        self.untimed += call.time == received_at
        cell = self._cell(day, kind)
        self.cells[cell] += 1
        self.first = call.time if self.first is None else min(self.first, call.time)
        self.last = call.time if self.last is None else max(self.last, call.time)
        if reading.reason is None:
            self.crowd.add(cell, reading)
        if call.type in TYPES:
            self._keep(Example(kind, call.time, body))

    def fail(self, file: str, line: int, reason: str) -> None:
        """Count something that cannot be read."""
        self.unreadable += 1
        if len(self.problems) < MOST_LINES:
            self.problems.append((file, line, reason))

    def total(self) -> int:
        """How many calls there are."""
        return self.cells.total()

    def by_type(self) -> dict[str, int]:
        """Calls by type, the most frequent first."""
        return dict(self._counted((self.kinds[kind][0], n) for (_, kind), n in self.cells.items()))

    def by_event(self) -> dict[str, int]:
        """Track calls by the name of their event, the most frequent first."""
        named = ((self.kinds[kind], count) for (_, kind), count in self.cells.items())
        return dict(self._counted((name, n) for (type_, name), n in named if type_ == "track"))

    def by_month(self) -> dict[str, int]:
        """Calls by month, `2026-01`, in order."""
        counted = self._counted((day_of(day)[:7], n) for (day, _), n in self.cells.items())
        return dict(sorted(counted))

    def chosen(self, choice: Choice) -> set[tuple[int, int]]:
        """The cells that a choice takes."""
        return {cell for cell in self.cells if self._takes(choice, cell)}

    def count(self, cells: Iterable[tuple[int, int]]) -> int:
        """How many calls there are in some cells."""
        return sum(self.cells[cell] for cell in cells)

    def examples(self, choice: Choice) -> list[tuple[tuple[str, str], Example]]:
        """Some of the chosen calls, of every kind and time, in the order of time: ((type, name), example)."""
        fit = [e for e in self._examples if choice.takes(Glance(*self.kinds[e.kind], e.time))]
        turns: dict[int, list[Example]] = {}
        for example in fit:
            turns.setdefault(example.kind, []).append(example)
        rows = sorted(
            (place, kind, e.time, e) for kind, of in turns.items() for place, e in enumerate(_spread(of))
        )
        picked = sorted((e for *_, e in rows[:EXAMPLES]), key=lambda e: e.time)
        return [(self.kinds[e.kind], e) for e in picked]

    def dump(self) -> bytes:
        """All of it, packed."""
        numbers = {
            "untimed": self.untimed,
            "unreadable": self.unreadable,
            "each": self._each,
            "days": self._days,
        }
        numbers |= {name: at for name in ("first", "last") if (at := getattr(self, name)) is not None}
        cells = [(day, kind, count) for (day, kind), count in self.cells.items()]
        kept = _Kept(
            self.kinds, cells, self.coarse, self.problems, numbers, self._examples, self.crowd.dump()
        )
        return zlib.compress(_PACK.encode(kept), 3)

    @classmethod
    def load(cls, packed: bytes | None) -> Findings:
        """What `dump` packed; nothing found yet, for None."""
        if packed is None:
            return cls()
        kept = msgspec.msgpack.decode(zlib.decompress(packed), type=_Kept)
        findings = cls(
            kinds=kept.kinds,
            cells=Counter({(day, kind): count for day, kind, count in kept.cells}),
            coarse=kept.coarse,
            first=kept.numbers.get("first"),
            last=kept.numbers.get("last"),
            untimed=kept.numbers["untimed"],
            unreadable=kept.numbers["unreadable"],
            problems=kept.problems,
            crowd=Crowd.load(kept.crowd),
            _places={kind: place for place, kind in enumerate(kept.kinds)},
            _examples=kept.examples,
            _bytes=sum(len(example.body) for example in kept.examples),
            _each=kept.numbers["each"],
            _days=kept.numbers["days"],
        )
        findings._seen = Counter(findings._group(example) for example in kept.examples)
        return findings

    def _takes(self, choice: Choice, cell: tuple[int, int]) -> bool:
        # A choice begins and ends with whole days, so the first instant of a day stands for all of it.
        day, kind = cell
        return choice.takes(Glance(*self.kinds[kind], day * MICROS_PER_DAY))

    def _place(self, type_: str, name: str) -> int:
        place = self._places.get((type_, name))
        if place is None:
            if len(self.kinds) >= MOST_KINDS:
                type_, name = (type_, OTHER) if type_ in TYPES else (OTHER, "")
            place = self._places.get((type_, name), len(self.kinds))
            if place == len(self.kinds):
                self._places[type_, name] = place
                self.kinds.append((type_, name))
        return place

    def _cell(self, day: int, kind: int) -> tuple[int, int]:
        cell = (day, kind)
        if cell not in self.cells and len(self.cells) >= MOST_CELLS:
            self.coarse = True
            return day - day % 30, kind
        return cell

    def _keep(self, example: Example) -> None:
        """Keep the first examples of every kind and day; when these are too many, fewer of longer times."""
        group = self._group(example)
        if self._seen[group] >= self._each or len(example.body) > _LONGEST_EXAMPLE:
            return
        self._seen[group] += 1
        self._examples.append(example)
        self._bytes += len(example.body)
        while len(self._examples) > _MOST_EXAMPLES or self._bytes > _MOST_BYTES:
            self._thin_out()

    def _thin_out(self) -> None:
        if self._each > 1:
            self._each -= 1
        else:
            self._days *= 2
        kept, self._examples, self._seen = self._examples, [], Counter()
        for example in kept:
            group = self._group(example)
            if self._seen[group] < self._each:
                self._seen[group] += 1
                self._examples.append(example)
        self._bytes = sum(len(example.body) for example in self._examples)

    def _group(self, example: Example) -> tuple[int, int]:
        return example.time // (self._days * MICROS_PER_DAY), example.kind

    @staticmethod
    def _counted(pairs: Iterable[tuple[Any, int]]) -> Iterator[tuple[Any, int]]:
        counted: Counter[Any] = Counter()
        for name, count in pairs:
            counted[name] += count
        yield from counted.most_common()


def _spread(examples: list[Example]) -> list[Example]:
    """Examples of one kind, so that those taken first come from all over the time."""
    ordered = sorted(examples, key=lambda e: e.time)
    step = max(1, len(ordered) // 4)
    return [e for begin in range(step) for e in ordered[begin::step]]
