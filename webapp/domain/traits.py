"""Traits: the key that any spelling of a name comes to, and what traits say of a contact or a customer."""

import re
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from webapp.domain.attributes import LONGEST, STANDARD_CONTACT, STANDARD_CUSTOMER, Value, never_timestamp
from webapp.domain.clock import iso, read_time
from webapp.domain.countries import country
from webapp.domain.ids import read_id
from webapp.domain.text import clean, compact, decimal, is_email, plain, says, written

LONGEST_KEY: Final = 255
LONGEST_STANDARD: Final = 1024
LONGEST_DECIMAL: Final = 1024
"""Digits that a number keeps, more than any double has; one of more is text, since databases refuse it."""
LEVELS: Final = 3
"""Levels of keys that flatten into one; what lies deeper is kept as JSON text."""

CONTACT_NAMES: Final = {name: name for name in (*STANDARD_CONTACT, "name")} | {"linkedin": "linked_in"}
"""Key -> standard name of a contact. `name` is split into first and last name once all has been told."""
CUSTOMER_NAMES: Final = {name: name for name in STANDARD_CUSTOMER} | {
    "website": "website_url",
    "postal_code": "zip",
}
"""Key -> standard name of a customer."""

NEVER_IMPORTED: Final = frozenset({"lead_created_at", "free_trial_started_at"})
"""Lead dates and free trial dates: the CRM's own, whatever a stream says of them."""

_PARTICULAR: Final = NEVER_IMPORTED | {"", "id", "company"}
"""Keys of a contact's traits that are more than custom attributes."""

_CAPITALS: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_KEY: Final = re.compile("[a-z0-9]+(?:_[a-z0-9]+)*")
_OUTSIDE: Final = re.compile("[^a-z0-9]+")
_RUN: Final = re.compile("[^A-Za-z0-9\u0130\u212a]+")  # these two become letters of ASCII when lower-cased
_ENOUGH: Final = 4 * LONGEST_KEY

Traits = dict[str, object]


class Record(msgspec.Struct):
    """What one event says of one contact or of one customer, as far as it has been read."""

    names: Mapping[str, str]
    """Key -> standard name, for this kind of record."""
    standard: dict[str, str] = {}
    custom: dict[str, Value] = {}
    warnings: list[tuple[str, str]] = []
    """(code, key) of what was skipped or changed."""


# Names ------------------------------------------------------------------------------------------------------


def key_of(name: str) -> str:
    """A name in snake_case and ASCII: the key by which every spelling of it is one.

    Returns:
        `linkedIn` -> "linked_in", `HTTPServer` -> "http_server", `MRR (€)` -> "mrr"; at most 255 characters;
        "" when nothing of the name is left.
    """
    return _known_key(name) if len(name) <= 64 else _new_key(name)


def _new_key(name: str) -> str:
    if _KEY.fullmatch(name):
        return name[:LONGEST_KEY]
    if len(name) > _ENOUGH:  # with its runs put together, the rest of a very long name need not be read
        name = _RUN.sub("_", name, count=_ENOUGH)[:_ENOUGH]
    return _OUTSIDE.sub("_", _CAPITALS.sub("_", name).lower()).strip("_")[:LONGEST_KEY]


_known_key: Final = lru_cache(maxsize=4096)(_new_key)

_MOST_KNOWN, _LONGEST_KNOWN = 1024, 4096
"""Lists of names whose keys are kept, and characters of one: nothing that is sent can fill the memory."""
_known_keys: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}


def keys_of(fields: Traits) -> tuple[str, ...]:
    """The keys of an object's names, in its order: senders send few lists of names, again and again."""
    names = tuple(fields)
    keys = _known_keys.get(names)
    if keys is not None:
        return keys
    keys = tuple(map(key_of, names))
    if sum(map(len, names)) <= _LONGEST_KNOWN:
        if len(_known_keys) >= _MOST_KNOWN:
            _known_keys.clear()
        _known_keys[names] = keys
    return keys


def spelled(fields: Traits, ids: Container[str] = ()) -> dict[str, object]:
    """The fields by key: of two spellings the later that says something stands.

    Args:
        fields: as told.
        ids: keys of ids; what is no usable id does not stand over one that is.
    """
    keys = keys_of(fields)
    known: dict[str, object] = dict(zip(keys, fields.values(), strict=True))
    if len(known) == len(keys):
        return known
    known = {}
    for key, value in zip(keys, fields.values(), strict=True):
        if key in known and (not says(value) or (key in ids and _is_worse_id(value, known[key]))):
            continue
        known[key] = value
    return known


def _is_worse_id(value: object, known: object) -> bool:
    return read_id(value)[0] is None and read_id(known)[0] is not None


def split_name(name: str) -> dict[str, str | None]:
    """A full name as first and last name.

    Returns:
        The last word is the last name and the rest the first; a single word is the first and clears the last.
    """
    *rest, last = name.rsplit(None, 1)
    return {"first_name": rest[0], "last_name": last} if rest else {"first_name": last, "last_name": None}


# Contacts and customers -------------------------------------------------------------------------------------


def tell_contact(layers: Sequence[tuple[Traits, Record]], has_company: bool) -> None:
    """Read what layers of traits say of a contact.

    Args:
        layers: (traits, the record they go to), the lowest first; per key a higher one stands over it.
        has_company: whether the event names a company by its id. Then what `company` holds is the company's;
            else it is the contact's own, as `company` and `company_<key>`.
    """
    for level, (traits, record) in enumerate(layers):
        above = layers[level + 1 :] if traits else ()
        higher = {
            key
            for over, _ in above
            for key, value in zip(keys_of(over), over.values(), strict=True)
            if _stands(value)
        }
        names, standard, custom = record.names, record.standard, record.custom
        for key, value in zip(keys_of(traits), traits.values(), strict=True):
            # Most values are short texts that go where their key says: these take no call each.
            if value.__class__ is str and value.isascii() and "\x00" not in value:
                text = value.strip()
                name = names.get(key)
                if not text:
                    continue
                if name is None and len(text) <= LONGEST and key not in higher and key not in _PARTICULAR:
                    custom[key] = text
                    continue
                if name is not None and name != "email" and len(text) <= LONGEST:
                    standard[name] = text
                    continue
            if key in names:
                tell(record, key, value)
            elif key in higher or key == "id":
                continue
            elif key == "company":
                if not has_company:
                    _tell_company_text(record, value)
            elif isinstance(value, dict):
                flatten(record, key, value)
            else:
                tell(record, key, value)


def company_of(layers: Sequence[tuple[Traits, Record]]) -> object:
    """The company that layers of traits tell: of the highest layer the latest that says anything, or None."""
    for traits, _ in reversed(layers):
        keys = keys_of(traits)
        if "company" not in keys:
            continue
        for key, value in zip(reversed(keys), reversed(traits.values()), strict=True):
            if key == "company" and says(value):
                return value
    return None


def _tell_company_text(record: Record, company: object) -> None:
    """A company without an id: its name, or the text itself, is the contact's `company`."""
    if not isinstance(company, dict):
        flatten(record, "company", company)
        return
    for name, value in company.items():
        key = key_of(name)
        if key == "name":
            flatten(record, "company", value, LEVELS - 1)
        elif key in NEVER_IMPORTED:
            tell(record, key, value)
        elif key != "id":
            flatten(record, _joined("company", key), value, LEVELS - 1)


def tell_customer(traits: Traits, record: Record) -> None:
    """Read what traits say of a customer; the keys of its `address` count as if they stood beside it."""
    for key, value in zip(keys_of(traits), traits.values(), strict=True):
        if key == "address" and isinstance(value, dict):
            for inner, each in zip(keys_of(value), value.values(), strict=True):
                _tell_customer_trait(record, inner, each)
        else:
            _tell_customer_trait(record, key, value)


def _tell_customer_trait(record: Record, key: str, value: object) -> None:
    if key in record.names:
        tell(record, key, value)
    elif key == "created_at":
        date = read_date(value, record.warnings)
        if date is not None:
            record.custom["created_at"] = date
    elif key != "id":
        flatten(record, key, value)


def read_date(value: object, warnings: list[tuple[str, str]]) -> str | None:
    """A company's `created_at` as ISO 8601 in UTC; None when it says nothing or, with a warning, no time."""
    if not says(value):
        return None
    instant = read_time(value)
    if instant is None:
        warnings.append(("unreadable_date", "created_at"))
    return None if instant is None else iso(instant)


# Values -----------------------------------------------------------------------------------------------------


def flatten(record: Record, key: str, value: object, levels: int = LEVELS) -> None:
    """Tell a value, or each value inside it under joined keys, down to so many levels of keys."""
    if not isinstance(value, dict):
        tell(record, key, value)
    elif levels > 1:
        for name, each in value.items():
            flatten(record, _joined(key, key_of(name)), each, levels - 1)
    elif value:
        tell(record, key, compact(value))


def _joined(outer: str, inner: str) -> str:
    return (f"{outer}_{inner}" if outer and inner else outer or inner)[:LONGEST_KEY]


def tell(record: Record, key: str, value: object) -> None:
    """Put one value where its key belongs: a standard attribute, a custom one, or nowhere with a warning."""
    if isinstance(value, str):  # most are
        value = value.strip()
        if not value:
            return
    elif not says(value):
        return
    name = record.names.get(key)
    if name is not None:
        text = _standard_text(name, value, record.warnings)
        if text is not None:
            record.standard[name] = text
    elif key in NEVER_IMPORTED:
        record.warnings.append(("never_imported", key))
    elif not key:
        record.warnings.append(("empty_key", ""))
    else:
        custom = _custom_value(key, value, record.warnings)
        if custom is not None:
            record.custom[key] = custom


def _standard_text(name: str, value: object, warnings: list[tuple[str, str]]) -> str | None:
    text = clean(value) if isinstance(value, str) else written(value)
    if text is None:
        warnings.append(("not_text", name))
        return None
    if name == "email" and not is_email(text):
        warnings.append(("not_an_email", name))
        return None
    if name == "country":
        text = country(text)
    return text if len(text) <= LONGEST_STANDARD else _cut(text, LONGEST_STANDARD, name, warnings)


def _custom_value(key: str, value: object, warnings: list[tuple[str, str]]) -> Value | None:
    if isinstance(value, str):
        text = clean(value)
        return text if len(text) <= LONGEST else _cut(text, LONGEST, key, warnings)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _cut(str(value), LONGEST, key, warnings)
    if isinstance(value, list):
        return _list_text(key, value, warnings)
    number = decimal(value)
    if number is None or not number.is_finite():
        warnings.append(("not_a_number", key))
        return None
    if len(number.as_tuple().digits) > LONGEST_DECIMAL:
        return _cut(plain(number), LONGEST, key, warnings)
    return number


def _list_text(key: str, items: list[object], warnings: list[tuple[str, str]]) -> str | None:
    """A list of scalars joined by commas; any other list as JSON."""
    if any(isinstance(item, list | dict) for item in items):
        return _cut(compact(items), LONGEST, key, warnings)
    if not all(map(_is_finite, items)):
        warnings.append(("not_a_number", key))
    joined = ", ".join(filter(None, map(written, items)))
    return never_timestamp(_cut(joined, LONGEST, key, warnings)) or None


def _cut(text: str, longest: int, key: str, warnings: list[tuple[str, str]]) -> str:
    if len(text) <= longest:
        return text
    warnings.append(("cut", key))
    return text[:longest]


def _stands(value: object) -> bool:
    """Whether a value takes the place of one below it; NaN and infinities are skipped, so they do not."""
    return says(value) and _is_finite(value)


def _is_finite(value: object) -> bool:
    number = decimal(value)
    return number is None or number.is_finite()
