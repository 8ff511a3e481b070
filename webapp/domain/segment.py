"""One event, in either dialect: what it says of a person and of a company, or why it says nothing.

Segment's ChartMogul destination posts flat objects ("Send Contact", "Send Customer"); Segment's spec nests
traits and properties (track, identify, group). Both end in the same `Reading`. A source's mapping may take
values out before, and says where these go (`domain/mapping.py`).
"""

from collections.abc import Mapping as Fields
from typing import Final

import msgspec

from webapp.domain.attributes import Value
from webapp.domain.clock import event_time
from webapp.domain.ids import read_id
from webapp.domain.mapping import CUSTOMER, DEFAULT, IGNORE, Lifted, Mapping, Node, lift, target
from webapp.domain.paths import FRAME
from webapp.domain.text import compact, says, written
from webapp.domain.traits import (
    CONTACT_NAMES,
    CUSTOMER_NAMES,
    Record,
    Traits,
    company_of,
    flatten,
    keys_of,
    read_date,
    spelled,
    split_name,
    tell,
    tell_contact,
    tell_customer,
)

REASONS: Final = {
    "page": "page calls are not imported",
    "screen": "screen calls are not imported",
    "alias": "alias calls are not imported",
    "delete": "delete calls are not imported",
    "unknown_type": "calls of this type are not imported",
    "no_type": "it has no type",
    "not_an_object": "it is not a JSON object",
    "no_person": "it has neither a user id nor an anonymous id",
    "no_group": "it has no group id",
    "tracks_off": "the source’s mapping imports no track calls",
    "track_not_chosen": "the source’s mapping imports other track calls only",
}
"""Why an event is ignored."""

WARNINGS: Final = {
    "junk_id": "this is no usable id; it was read as absent",
    "unreadable_time": "this time could not be read; the time of receipt stands in for it",
    "unreadable_date": "this date could not be read; it was skipped",
    "not_an_object": "this should be an object; it was skipped",
    "not_text": "this should be a text; it was skipped",
    "not_an_email": "this is not an e-mail address; it was skipped",
    "not_a_number": "this is not a finite number; it was skipped",
    "empty_key": "a name without a letter or digit; its value was skipped",
    "never_imported": "lead dates and free trial dates are never imported",
    "cut": "this is longer than an attribute can be; it was cut",
    "no_customer": "the mapping sends this to a customer, and the event names no company; it was skipped",
    "no_contact": "the mapping sends this to a contact, and the event names no person; it was skipped",
    "over_limit": "the source has told more custom attributes than it may; this one is not kept",
    "more": "more was noticed in this event than is listed here",
}
"""What was noticed in an event that is read all the same."""

LONGEST_TYPE: Final = 64

Rules = Fields[str, Node]
"""The rules about one type of call, by place."""

_NO_RULES: Final[Rules] = {}
_IDS: Final = ("user_id", "anonymous_id", "group_id")


class Reading(msgspec.Struct):
    """What one event says. An ignored one says nothing: it has a type, message id, time and `reason` only."""

    type: str
    """As told, to be shown; "" when absent."""
    message_id: str
    """As received; "" when absent."""
    time: int
    """Microseconds since the epoch, UTC."""
    reason: str | None = None
    """Why it is ignored, a key of `REASONS`; None when it says something."""
    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    """The company that the person is attached to, and of which `company` and `company_custom` speak."""
    contact: dict[str, str | None] = {}
    """Standard attributes of the contact; None clears, as a name of one word does to the last name."""
    weak: dict[str, str | None] = {}
    """The same, told only by a track's properties: they stand where no trait ever told the attribute."""
    contact_custom: dict[str, Value] = {}
    company: dict[str, str] = {}
    company_custom: dict[str, Value] = {}
    warnings: list[tuple[str, str]] = []
    """(key of `WARNINGS`, the field it is about)."""


def read(event: object, received_at: int, mapping: Mapping = DEFAULT) -> Reading:
    """What one event says.

    Args:
        event: any JSON value, as `wire.decode` gives it.
        received_at: microseconds since the epoch, UTC; no event is later than its receipt.
        mapping: of its source.

    Returns:
        A reading, whatever the event: nothing that JSON can hold raises.
    """
    if not isinstance(event, dict):
        return Reading("", "", received_at, reason="not_an_object")
    fields = spelled(event, _IDS)
    time, warnings = event_time(fields, received_at)
    reading = Reading(
        _type(fields.get("type")), _message_id(fields.get("message_id")), time, warnings=warnings
    )
    rules = mapping.trees.get(reading.type, _NO_RULES)
    match reading.type:
        case "identify":
            _read_identify(reading, fields, rules)
        case "track" if not mapping.takes(fields.get("event")):
            reading.reason = "track_not_chosen" if mapping.tracks else "tracks_off"
        case "track":
            _read_track(reading, fields, rules)
        case "group":
            _read_group(reading, fields, _object(reading, fields, "traits"), "traits", rules)
        case "Send Contact":
            _read_send_contact(reading, fields, event, rules)
        case "Send Customer":
            _read_group(reading, fields, _beside(event, FRAME | {"group_id"}), "", rules)
        case "":
            reading.reason = "no_type"
        case "page" | "screen" | "alias" | "delete":
            reading.reason = reading.type
        case _:
            reading.reason = "unknown_type"
    return reading


def _type(told: object) -> str:
    if not says(told):
        return ""
    return (written(told) or compact(told))[:LONGEST_TYPE]


def _message_id(told: object) -> str:
    if isinstance(told, int) and not isinstance(told, bool):
        return str(told)
    return told if isinstance(told, str) and says(told) else ""


# What rules take out ----------------------------------------------------------------------------------------


class _Layer(msgspec.Struct):
    """One object of an event that tells of its contact or customer."""

    place: str
    """As a path names it (`mapping.CALLS`)."""
    traits: Traits
    record: Record
    """Where it tells what it says of the contact."""

    def lift(self, rules: Rules) -> list[Lifted]:
        """Take out what rules are about."""
        lifted: list[Lifted] = []
        node = rules.get(self.place)
        if node is not None:
            self.traits = lift(self.traits, node, lifted)
        return lifted


def _tell_lifted(
    lifted: Lifted, person: Record | None, customer: Record | None, warnings: list[tuple[str, str]]
) -> None:
    """Tell a value where its rule sends it, over what is told there by default."""
    node, value = lifted.node, lifted.value
    if node.to == IGNORE or not says(value):
        return
    entity, name, is_custom = target(node.to)
    record = customer if entity == CUSTOMER else person
    if record is None:
        warnings.append((f"no_{entity}", name))
        return
    if node.is_date:
        value = read_date(value, warnings)
    if is_custom:
        flatten(record, name, value, node.levels)
    else:
        tell(record, name, value)


# Contact events ---------------------------------------------------------------------------------------------


def _read_identify(reading: Reading, fields: Traits, rules: Rules) -> None:
    context = _context(reading, fields)
    record = Record(CONTACT_NAMES, warnings=reading.warnings)
    layers = [
        _Layer("context.traits", _object(reading, context, "traits"), record),
        _Layer("traits", _object(reading, fields, "traits"), record),
    ]
    _read_contact(reading, fields, context, layers, rules)


def _read_track(reading: Reading, fields: Traits, rules: Rules) -> None:
    context = _context(reading, fields)
    strong = Record(CONTACT_NAMES, warnings=reading.warnings)
    weak = Record(CONTACT_NAMES, custom=strong.custom, warnings=reading.warnings)
    layers = [
        _Layer("context.traits", _object(reading, context, "traits"), strong),
        _Layer("properties", _object(reading, fields, "properties"), weak),
    ]
    _read_contact(reading, fields, context, layers, rules)


def _read_send_contact(reading: Reading, fields: Traits, event: Traits, rules: Rules) -> None:
    layer = _Layer("", _beside(event, FRAME), Record(CONTACT_NAMES, warnings=reading.warnings))
    _read_contact(reading, fields, _context(reading, fields), [layer], rules)


def _read_contact(
    reading: Reading, fields: Traits, context: Traits, layers: list[_Layer], rules: Rules
) -> None:
    """Read a person's event: who it is of, which company they are with, and what the layers say of either."""
    user_id, anonymous_id = _id(reading, fields, "user_id"), _id(reading, fields, "anonymous_id")
    if user_id is None and anonymous_id is None:
        reading.reason = "no_person"
        return
    reading.user_id, reading.anonymous_id = user_id, anonymous_id
    lifted = [(each, layer.record) for layer in layers for each in layer.lift(rules)] if rules else ()
    told = [(layer.traits, layer.record) for layer in layers]
    company = company_of(told)
    reading.group_id = _company_id(reading, company, context)
    customer = Record(CUSTOMER_NAMES, warnings=reading.warnings) if reading.group_id is not None else None
    if customer is not None and company is not None:
        _tell_company(company, customer)
    tell_contact(told, has_company=customer is not None)
    for each, person in lifted:
        _tell_lifted(each, person, customer, reading.warnings)
    if customer is not None:
        reading.company, reading.company_custom = customer.standard, customer.custom
    strong, weak = layers[0].record, layers[-1].record
    reading.contact = _named(strong.standard, strong.standard)
    if weak is not strong:
        reading.weak = _named(weak.standard, {**weak.standard, **reading.contact})
    reading.contact_custom = strong.custom


def _company_id(reading: Reading, company: object, context: Traits) -> str | None:
    told = _id(reading, spelled(company, ("id",)), "id", "company.id") if isinstance(company, dict) else None
    return told if told is not None else _id(reading, context, "group_id", "context.group_id")


def _tell_company(company: object, customer: Record) -> None:
    if isinstance(company, dict):
        tell_customer(company, customer)
    else:
        tell(customer, "name", company)


def _named(standard: dict[str, str], beside: Fields[str, str | None]) -> dict[str, str | None]:
    """The attributes with `name` split into first and last name, unless one of these stands beside it."""
    named: dict[str, str | None] = {key: text for key, text in standard.items() if key != "name"}
    if "name" in standard and "first_name" not in beside and "last_name" not in beside:
        named |= split_name(standard["name"])
    return named


# Group events -----------------------------------------------------------------------------------------------


def _read_group(reading: Reading, fields: Traits, traits: Traits, place: str, rules: Rules) -> None:
    group_id = _id(reading, fields, "group_id")
    if group_id is None:
        reading.reason = "no_group"
        return
    reading.group_id = group_id
    reading.user_id, reading.anonymous_id = (
        _id(reading, fields, "user_id"),
        _id(reading, fields, "anonymous_id"),
    )
    customer = Record(CUSTOMER_NAMES, warnings=reading.warnings)
    layer = _Layer(place, traits, Record(CONTACT_NAMES, warnings=reading.warnings))
    lifted = layer.lift(rules) if rules else ()
    tell_customer(layer.traits, customer)
    if lifted:
        has_person = reading.user_id is not None or reading.anonymous_id is not None
        for each in lifted:
            _tell_lifted(each, layer.record if has_person else None, customer, reading.warnings)
        reading.contact = _named(layer.record.standard, layer.record.standard)
        reading.contact_custom = layer.record.custom
    reading.company, reading.company_custom = customer.standard, customer.custom


# Parts ------------------------------------------------------------------------------------------------------


def _id(reading: Reading, fields: Traits, key: str, shown_as: str = "") -> str | None:
    told, warning = read_id(fields.get(key))
    if warning is not None:
        reading.warnings.append((warning, shown_as or key))
    return told


def _context(reading: Reading, fields: Traits) -> Traits:
    return spelled(_object(reading, fields, "context"), _IDS)


def _object(reading: Reading, fields: Traits, key: str) -> Traits:
    """The object under a key; anything else that says something is skipped with a warning."""
    value = fields.get(key)
    if isinstance(value, dict):
        return value
    if says(value):
        reading.warnings.append(("not_an_object", key))
    return {}


def _beside(event: Traits, frame: frozenset[str]) -> Traits:
    """The fields of a flat event that tell of the contact or customer."""
    keys, names = keys_of(event), tuple(event)
    if keys == names:
        beside = dict(event)
        for key in frame:
            beside.pop(key, None)
        return beside
    return {name: event[name] for name, key in zip(names, keys, strict=True) if key not in frame}
