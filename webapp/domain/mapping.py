"""Where traits go: rules by which people send a trait elsewhere than the default reading does.

A rule takes its value out of an event before the default reading sees the event, and tells it at its
destination afterwards. So whatever the rules, an event says what it says by itself, and folding does not
depend on order.
"""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from webapp.domain.attributes import STANDARD_CONTACT, STANDARD_CUSTOMER
from webapp.domain.paths import OF_COMPANIES, containers, fixed, split, track_name
from webapp.domain.traits import CONTACT_NAMES, CUSTOMER_NAMES, LEVELS, NEVER_IMPORTED, Traits, key_of

IGNORE: Final = "ignore"
CONTACT, CUSTOMER = "contact", "customer"
STANDARD: Final = {CONTACT: ("name", *STANDARD_CONTACT), CUSTOMER: STANDARD_CUSTOMER}
"""What a rule can set by entity; a contact's `name` is split into first and last name."""

MOST_RULES, MOST_NAMES = 2000, 1000
_STAYS: Final = NEVER_IMPORTED | {"id"}
"""What a rule about a company object leaves in it: the id says which company, the rest is never imported."""


class MappingError(ValueError):
    """A rule that cannot be; the text is for the person who made it."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule of a person: where the values at one path of one type of call go."""

    call: str
    path: str
    """Keys joined by dots, from the top of the call: `traits.company.size`; in a flat call `company.size`."""
    to: str
    """`ignore`, `contact.title`, `customer.country`, `contact.custom.plan`, `customer.custom.plan`."""
    by: int | None = None
    """Id of the user who made it; None for the command line."""
    at: int = 0
    """When, in microseconds."""


class Node(msgspec.Struct):
    """Rules about one key of an object, and about the keys inside it."""

    to: str = ""
    """Empty where no rule is about the key itself."""
    inner: dict[str, Node] = {}
    levels: int = LEVELS
    """Levels of keys into which an object here flattens."""
    stays: frozenset[str] = frozenset()
    """Keys inside that a rule about this one leaves where they are."""
    is_date: bool = False
    """A company's `created_at`, which is read as a time wherever it goes."""


class Lifted(msgspec.Struct):
    """A value that a rule has taken out of an event."""

    node: Node
    value: object


@dataclass(frozen=True, slots=True)
class Mapping:
    """All rules of a source.

    Attributes:
        rules: by call and path at most one.
        tracks: names of the track calls that are imported; None for all of them, empty for none.
        trees: the same rules as an event is read by: call -> place (`CALLS`) -> its keys.
        names: the same names, to look one up in.
    """

    rules: tuple[Rule, ...] = ()
    tracks: tuple[str, ...] | None = None
    trees: Fields[str, Fields[str, Node]] = field(init=False, compare=False, repr=False)
    names: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trees", _trees(self.rules))
        object.__setattr__(self, "names", frozenset(self.tracks or ()))

    def rule(self, call: str, path: str) -> Rule | None:
        """The rule about exactly this path."""
        return next((rule for rule in self.rules if (rule.call, rule.path) == (call, path)), None)

    def takes(self, event_name: object) -> bool:
        """Whether a track call of this name is imported."""
        return self.tracks is None or track_name(event_name) in self.names

    def says(self) -> tuple[Any, ...]:
        """What it does, whoever made the rules and when: two mappings that say the same read alike."""
        return tuple(sorted((rule.call, rule.path, rule.to) for rule in self.rules)), self.tracks

    def with_rule(self, rule: Rule) -> Mapping:
        """The mapping with a rule in place of any about the same path.

        Raises:
            MappingError: there can be no such rule.
        """
        check(rule)
        return Mapping((*self.without(rule.call, rule.path).rules, rule), self.tracks)

    def without(self, call: str, path: str) -> Mapping:
        """The mapping by which a path goes where it goes by default."""
        return Mapping(tuple(r for r in self.rules if (r.call, r.path) != (call, path)), self.tracks)

    def with_tracks(self, names: tuple[str, ...] | None) -> Mapping:
        """The mapping that imports the track calls of these names only; None for all of them."""
        return Mapping(self.rules, names if names is None else tuple(sorted(set(names))))


# Rules ------------------------------------------------------------------------------------------------------


def target(to: str) -> tuple[str, str, bool]:
    """Take a destination apart.

    Args:
        to: as in a rule, but not `ignore`.

    Returns:
        "contact" or "customer", the attribute or key, and whether it is a custom attribute's key.
    """
    entity, _, rest = to.partition(".")
    is_custom = rest.startswith("custom.")
    return entity, rest.removeprefix("custom."), is_custom


def check(rule: Rule) -> None:
    """Raise MappingError, in words for the person, unless there can be such a rule."""
    reason = fixed(rule.call, rule.path)
    if reason is not None:
        raise MappingError(f"“{rule.path[:200]}” cannot go elsewhere. {reason}")
    if rule.to == IGNORE:
        return
    entity, name, is_custom = target(rule.to)
    if entity not in STANDARD:
        raise MappingError(f"“{rule.to[:100]}” is no destination; it begins with contact. or customer.")
    if not is_custom:
        if name not in STANDARD[entity]:
            raise MappingError(f"A {entity} has no standard attribute “{name[:100]}”.")
        return
    check_key(entity, name)


def check_key(entity: str, key: str) -> None:
    """Raise MappingError unless a custom attribute of this entity can bear this key."""
    if not key or key != key_of(key):
        proper = key_of(key)
        hint = f" “{proper}” would do." if proper else " Use letters, digits and _."
        raise MappingError(f"“{key[:100]}” is no key of a custom attribute.{hint}")
    names = CONTACT_NAMES if entity == CONTACT else CUSTOMER_NAMES
    if key in names:
        raise MappingError(f"“{key}” is a standard attribute; choose it from the list, or another key.")
    if key in _STAYS:
        raise MappingError(f"No custom attribute can be called “{key}”. Choose another key.")


# Reading ----------------------------------------------------------------------------------------------------


def _trees(rules: tuple[Rule, ...]) -> dict[str, dict[str, Node]]:
    trees: dict[str, dict[str, Node]] = {}
    for rule in rules:
        where = split(rule.call, rule.path)
        if where is None:
            continue
        place, keys = where
        node = trees.setdefault(rule.call, {}).setdefault(place, Node())
        held = containers(rule.call, keys[:-1])
        for depth, key in enumerate(keys):
            node = node.inner.setdefault(key, Node(levels=LEVELS - max(0, depth - held)))
        node.to = rule.to
        of_company = rule.call in OF_COMPANIES or keys[0] == "company"
        node.is_date = of_company and len(keys) - held == 1 and keys[-1] == "created_at"
        if keys == ["company"] and rule.call not in OF_COMPANIES:
            node.stays = _STAYS
    return trees


def lift(traits: Traits, node: Node, lifted: list[Lifted]) -> Traits:
    """Take out of an object what rules are about; the inner rules first.

    Args:
        traits: the object; it is left as it is.
        node: the rules about its keys.
        lifted: where what was taken out goes, in the document's order.

    Returns:
        The object as the default reading is to see it.
    """
    rest: Traits = {}
    for name, value in traits.items():
        about = node.inner.get(key_of(name))
        if about is None:
            rest[name] = value
            continue
        if about.inner and isinstance(value, dict):
            value = lift(value, about, lifted)
        if not about.to:
            rest[name] = value
            continue
        if about.stays and isinstance(value, dict):
            rest[name] = {inner: each for inner, each in value.items() if key_of(inner) in about.stays}
            value = {inner: each for inner, each in value.items() if key_of(inner) not in about.stays}
        lifted.append(Lifted(about, value))
    return rest


# Documents --------------------------------------------------------------------------------------------------


class _Document(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A mapping as a source's row and a file keep it."""

    rules: list[Rule] = []
    tracks: list[str] | None = None


DEFAULT: Final = Mapping()
"""Every trait goes where the default reading sends it."""


def of(document: object) -> Mapping:
    """The mapping that a source's row or a file keeps.

    Args:
        document: `{"rules": [{"call": "identify", "path": "traits.job", "to": "contact.title"}],
            "tracks": ["Signed Up"]}`; None for the default mapping.

    Raises:
        MappingError: it is none; the text says where.
    """
    if document is None:
        return DEFAULT
    try:
        told = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise MappingError(f"This is no mapping: {error}.") from None
    if len(told.rules) > MOST_RULES or len(told.tracks or ()) > MOST_NAMES:
        raise MappingError(f"A mapping has at most {MOST_RULES:,} rules and {MOST_NAMES:,} names of calls.")
    for rule in told.rules:
        check(rule)
    rules = {(rule.call, rule.path): rule for rule in told.rules}
    mapping = Mapping(tuple(rules.values()))
    return mapping if told.tracks is None else mapping.with_tracks(tuple(map(track_name, told.tracks)))


def document_of(mapping: Mapping) -> dict[str, Any] | None:
    """What a source's row keeps of a mapping; None for the default one."""
    if mapping == DEFAULT:
        return None
    told = _Document(list(mapping.rules), None if mapping.tracks is None else list(mapping.tracks))
    document: dict[str, Any] = msgspec.to_builtins(told)
    return document


def without_authors(document: object) -> dict[str, Any]:
    """A mapping as a file tells it to others: what it does, not who made it."""
    mapping = of(document)
    rules = [{"call": rule.call, "path": rule.path, "to": rule.to} for rule in mapping.rules]
    return {"rules": rules} if mapping.tracks is None else {"rules": rules, "tracks": list(mapping.tracks)}


def same(one: object, other: object) -> bool:
    """Whether two documents say the same, whoever made their rules and when."""
    return one == other or of(one).says() == of(other).says()
