"""What a choice would bring, before anything is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.domain import mapping as mappings
from webapp.domain import segment, wire
from webapp.domain.calls import Choice
from webapp.domain.text import clean
from webapp.models import Import, Source, now
from webapp.services.imports import words
from webapp.services.imports.findings import Findings

LONGEST_SHOWN = 4000


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the chosen calls.

    Attributes:
        type: of the call.
        name: of the event, for a track call.
        time: in microseconds.
        sentence: what it would import.
        text: its body, indented, and cut where it is long.
    """

    type: str
    name: str
    time: int
    sentence: str
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a choice would bring.

    Attributes:
        calls: how many are chosen.
        exact: whether exactly so many; with very many days and names it is about so many.
        said: how many customers and contacts would appear.
        how: what that was counted from.
        samples: some of the calls, of every kind and from all over the time.
    """

    calls: int
    exact: bool
    said: str
    how: str
    samples: list[Sample]


def of(session: Session, source: Source, asked: Import, choice: Choice) -> Preview:
    """Tell what a choice out of an import that was looked through would bring."""
    found = Findings.load(asked.found)
    cells = found.chosen(choice)
    calls = found.count(cells)
    said, how = words.appearing(found.crowd.appearing(session.connection(), source, cells), calls)
    mapping = mappings.of(source.applied_mapping)
    at = now()
    samples = []
    for (type_, name), example in found.examples(choice):
        document = wire.decode(example.body)
        sentence = words.would_import(segment.read(document, at, mapping))
        text = clean(json.dumps(document, indent=2, ensure_ascii=False, default=str))
        samples.append(Sample(type_, name, example.time, sentence, text[:LONGEST_SHOWN]))
    return Preview(calls, not found.coarse, said, how, samples)
