"""What a batch of events says: all that follows from their bytes and the mapping of their source alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from webapp.domain import segment, wire
from webapp.domain.digests import digest_of
from webapp.domain.fold import Told, fold
from webapp.domain.lately import Lately
from webapp.domain.mapping import Mapping
from webapp.domain.outcome import outcome_of, unreadable
from webapp.domain.sighting import Attribute, Sighting, seen_in, take_out
from webapp.domain.tally import Counted, Key, Tally

Sent = tuple[int, int, bytes, bytes | None]
"""An event's id, its receipt in microseconds, its body, and its digest where it has one."""
Readings = list[tuple[int, segment.Reading]]


@dataclass(slots=True)
class Heard:
    """A batch, read.

    Attributes:
        readings: pairs of event id and what the event says.
        broken: ids of events that could not be read, with the name of the error.
        paths: how often each path was told.
        attributes: the custom attributes that were told.
        digests: of all its events, by id.
        repeats: ids of its events that were left out as the very same as one before.
    """

    readings: Readings
    broken: list[tuple[int, str]]
    paths: dict[Key, Counted]
    attributes: dict[Attribute, Sighting]
    digests: dict[int, bytes | None]
    repeats: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Said:
    """What a batch comes to.

    Attributes:
        outcomes: the columns of each event, by which its row says what became of it.
        people: what was told of identifiers, by key.
        companies: what was told of companies, by key.
    """

    outcomes: list[dict[str, Any]]
    people: dict[bytes, Told]
    companies: dict[bytes, Told]


def read(
    events: Iterable[Sent], mapping: Mapping, tally: Tally | None = None
) -> tuple[Readings, list[tuple[int, str]]]:
    """Read some events. One that cannot be read is a fault of ours; its neighbours go on.

    Args:
        events: by id, ascending.
        mapping: of their source.
        tally: counts the paths that they tell, if given.

    Returns:
        Pairs of event id and what it says, and those of id and the name of the error of what is broken.
    """
    readings: Readings = []
    broken: list[tuple[int, str]] = []
    for event_id, received_at, body, _ in events:
        try:
            document = wire.decode(body)
            reading = segment.read(document, received_at, mapping)
            if tally is not None:
                tally.add(event_id, document, received_at)
            readings.append((event_id, reading))
        except Exception as error:
            broken.append((event_id, type(error).__name__))
    return readings, broken


def hear(events: Sequence[Sent], mapping: Mapping) -> Heard:
    """Read some events (`read`), and count what they tell."""
    tally = Tally()
    readings, broken = read(events, mapping, tally)
    digests = {event_id: digest for event_id, _, _, digest in events}
    return Heard(readings, broken, tally.seen(), seen_in(readings), digests)


def say(heard: Heard, without: Collection[Attribute] = ()) -> Said:
    """What a batch comes to.

    Args:
        heard: whose readings are then told without some attributes, and warn of that.
        without: custom attributes that are over the limit of their source.
    """
    if without:
        take_out(heard.readings, without)
    outcomes = [unreadable(event_id, error) for event_id, error in heard.broken]
    outcomes += [outcome_of(event_id, reading) for event_id, reading in heard.readings]
    for row in outcomes:
        row["digest"] = heard.digests[row["id"]]
    return Said(outcomes, *fold(heard.readings))


def hear_and_say(
    source_id: int, events: Iterable[Sent], mapping: Mapping, lately: Lately
) -> tuple[Heard, Said]:
    """Both at once, with digests of all, and no reading is kept: what another process is sent.

    Args:
        source_id: of the source that the events are of.
        events: by id, ascending.
        mapping: of that source.
        lately: knows the events before, by which repeats are left out; one that had a digest is none.
    """
    digests: dict[int, bytes | None] = {}
    told: list[Sent] = []
    repeats: set[int] = set()
    for event_id, received_at, body, had in events:
        digest = digests[event_id] = had or digest_of(body)
        if digest is not None and lately.meet(source_id, event_id, digest) and had is None:
            repeats.add(event_id)
        else:
            told.append((event_id, received_at, body, digest))
    heard = hear(told, mapping)
    return replace(heard, readings=[], digests=digests, repeats=repeats), say(heard)
