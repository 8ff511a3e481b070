"""Two customers side by side, and the one that a merge would make of them, before anything is merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from webapp.domain.attributes import shown
from webapp.domain.clock import iso
from webapp.domain.composing import CUSTOMER_VALUES, TAG_SEPARATOR, composed, in_order, set_by_people, tags
from webapp.models import now
from webapp.models.customer import NEW_LEAD
from webapp.services import attributes, facts, revenue
from webapp.services.composing import edits_of, tellers_of
from webapp.services.records import Record
from webapp.services.tables import CUSTOMERS
from webapp.services.tables.columns import MICROS


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute: what each of the two shows, and what the result would."""

    label: str
    values: tuple[str | None, str | None]
    result: str | None


def primary_of(one: Record, other: Record) -> Record:
    """Which of the two would lead by itself: the billing customer, else who was seen first."""
    leaders = tellers_of([one.behind[0]]) + tellers_of([other.behind[0]])
    first = in_order(replace(teller, rank=0) for teller in leaders)[0]
    return one if first.uuid == one.primary[0] else other


def lines(connection: Connection, one: Record, other: Record, primary: Record) -> list[Line]:
    """Every attribute that one of the two has.

    Args:
        one, other: the two, in the order in which they are shown.
        primary: whichever of them is to lead.
    """
    result = _result(connection, one, other, primary)
    types = attributes.types(connection, "customer")
    sides = (one.row._mapping, other.row._mapping)
    found = [_line(label, key, sides, result) for key, label in _labels().items()]
    for key in sorted({key for side in (*sides, result) for key in side["custom"]}):
        type_ = types.get(key, "String")
        first, second, both = (_custom(side["custom"], key, type_) for side in (*sides, result))
        found.append(Line(key, (first, second), both))
    return [line for line in found if any((*line.values, line.result))]


def _labels() -> dict[str, str]:
    ours = {"lead_status": "Status", "owner": "Owner", "tags": "Tags", "mrr": "MRR"}
    return {**facts.labels(CUSTOMERS), **ours}


def _result(connection: Connection, one: Record, other: Record, primary: Record) -> Mapping[str, Any]:
    leader = primary.primary[0]
    known = tellers_of([*one.behind, *other.behind])
    tellers = in_order(replace(teller, rank=0 if teller.uuid == leader else 1) for teller in known)
    origins = [teller.uuid for teller in tellers]
    hands = edits_of(connection, "customer", origins)
    edited = [hands.get(origin, {}) for origin in origins]
    paid = revenue.of_origins(connection, origins)
    subscriptions = [each for origin in origins for each in paid.get(origin, ())]
    status = revenue.status(subscriptions, now()) or set_by_people(edited, "lead_status") or NEW_LEAD
    return {
        **composed(tellers, edited, CUSTOMER_VALUES),
        "external_id": primary.row.external_id,
        "lead_status": status,
        "owner": set_by_people(edited, "owner"),
        "tags": TAG_SEPARATOR.join(tags(edited)),
        **revenue.total(subscriptions, now()),
    }


def _line(label: str, key: str, sides: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> Line:
    first, second, both = (_text(side, key) for side in (*sides, result))
    return Line(label, (first, second), both)


def _text(side: Mapping[str, Any], key: str) -> str | None:
    value = side[key]
    if value is None or value == "":
        return None
    if key == "mrr":
        return f"{revenue.units(value)} {side['currency']}"
    is_instant = any(each.key == key and each.kind == MICROS for each in CUSTOMERS.standard)
    return iso(value) if is_instant else str(value)


def _custom(custom: Mapping[str, Any], key: str, type_: str) -> str | None:
    return shown(custom[key], type_) if custom.get(key) is not None else None
