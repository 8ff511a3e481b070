"""Rules 1 to 4 of who is who, over a neighbourhood of identifiers, and one person out of several of them.

A neighbourhood is any set of identifiers that is closed: with an identifier it holds all that could belong
to the same person. `services/identities.py` loads the closed set around what a batch touched; the whole
source is one too, so both ways give the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b

from webapp.domain.fold import Told, combine, standing
from webapp.domain.identity import id_of, key_of_text
from webapp.domain.text import LONGEST_INDEXED, clean, is_email

NEVER, ONCE = 0, 1
HEIR = 2
"""In a generation that a rebuild makes: it gives its uuid to a person of the generation before."""


@dataclass(slots=True, eq=False)
class Node:
    """One identifier with what it told, as it stands before and after a batch."""

    key: bytes
    told: Told
    uuid: str
    led: int = NEVER
    """Whether it has given its uuid to a person: NEVER, ONCE, or HEIR."""
    person_uuid: str | None = None
    """The person it belongs to; the one before until `appoint` has run."""
    email: str | None = None
    """For an anonymous id its own lower-case e-mail, for a user id the one of `core_email`."""

    @property
    def is_user(self) -> bool:
        return self.key[:1] == b"u"

    @property
    def tie(self) -> bytes | None:
        """The key of the user id that rule 2 gives this anonymous id to."""
        return key_of_text(self.told.tie[3]) if self.told.tie else None

    @property
    def speaks(self) -> bool:
        """Something was said of it. An anonymous id that only came beside a user id says nothing."""
        return self.told.first_seen is not None


@dataclass(slots=True, frozen=True)
class Person:
    """One human as one source tells of them."""

    uuid: str
    user_id: str | None
    told: Told
    details: dict[str, str]
    """The standard attributes that stand, the e-mail included when only the user id gives it."""
    company: bytes | None
    first_seen: int
    last_seen: int

    @property
    def email(self) -> str | None:
        return self.details.get("email")


def own_email(told: Told) -> str | None:
    """The lower-case e-mail that traits told last; what only properties told ties nobody."""
    word = told.strong.get("email")
    return _tying(word[3]) if word else None


def core_email(user: Node, tied: Iterable[Node]) -> str | None:
    """The lower-case e-mail of a user id with the anonymous ids that rule 2 gives it.

    A user id that is itself an e-mail address gives it where none was told.
    """
    words = [word for node in (user, *tied) if (word := node.told.strong.get("email"))]
    if words:
        return _tying(max(words)[3])
    user_id = clean(id_of(user.key))
    return _tying(user_id) if is_email(user_id) else None


def _tying(email: str) -> str:
    """An e-mail as it is compared: lower-case; one that no index holds by its digest, so that none is cut."""
    email = email.lower()
    told = email.encode()
    return email if len(told) <= LONGEST_INDEXED else blake2b(told).hexdigest()


def owners(users: Iterable[Node]) -> dict[str, Node]:
    """Rule 3: of the user ids that have an e-mail at present, the one that was first seen."""
    found: dict[str, Node] = {}
    for user in users:
        if user.email is None:
            continue
        rival = found.get(user.email)
        if rival is None or _seniority(user) < _seniority(rival):
            found[user.email] = user
    return found


def _seniority(node: Node) -> tuple[int, bytes]:
    return (node.told.first_seen or 0, node.key)


def groups(nodes: Mapping[bytes, Node]) -> dict[bytes, list[Node]]:
    """Which identifiers are one person, by the four rules.

    Args:
        nodes: a closed neighbourhood by key; every `email` is up to date.

    Returns:
        Lists of nodes by root: a user id's key, `e` and an e-mail (rule 4), or an anonymous id's key.
    """
    owner_of = owners(node for node in nodes.values() if node.is_user)
    found: dict[bytes, list[Node]] = {}
    for node in nodes.values():
        if node.speaks:
            found.setdefault(_root(node, owner_of), []).append(node)
    return found


def _root(node: Node, owner_of: Mapping[str, Node]) -> bytes:
    if node.is_user:
        return node.key
    if node.tie is not None:
        return node.tie
    if node.email is None:
        return node.key
    owner = owner_of.get(node.email)
    return owner.key if owner else b"e" + node.email.encode()


def appoint(members: list[Node], rebuilding: bool = False) -> None:
    """Give the members of one group their person's uuid.

    When two persons become one, the uuid of the one first seen stays. When they part, the other comes back,
    since its identifier has kept it.

    Args:
        members: the identifiers of one person; each still bears the person it belonged to before.
        rebuilding: whether who led before the rebuild is to lead again.
    """
    heirs = [node for node in members if node.led == HEIR] if rebuilding else []
    leaders = [node for node in members if node.person_uuid == node.uuid]
    candidates = heirs or leaders or [node for node in members if node.led] or members
    seniority = {node.key: _seniority(node) for node in candidates}
    for node in members:  # a person was first seen when the first of its identifiers was
        for leader in candidates:
            if node.person_uuid == leader.uuid:
                seniority[leader.key] = min(seniority[leader.key], (_seniority(node)[0], leader.key))
    head = min(candidates, key=lambda node: seniority[node.key])
    head.led = head.led or ONCE
    for node in members:
        node.person_uuid = head.uuid


def person_of(members: list[Node]) -> Person:
    """One person out of the identifiers of one group: per attribute the latest over all of them."""
    user_id = next((id_of(node.key) for node in members if node.is_user), None)
    shown_id = clean(user_id or "")
    told = reduce(combine, (node.told for node in members))
    details = standing(told)
    if "email" not in details and is_email(shown_id):
        details["email"] = shown_id
    uuid = members[0].person_uuid
    if uuid is None or told.first_seen is None or told.last_seen is None:
        raise ValueError("a person has been appointed, and something was said of them")
    return Person(
        uuid=uuid,
        user_id=user_id,
        told=told,
        details=details,
        company=key_of_text(told.company[3]) if told.company else None,
        first_seen=told.first_seen,
        last_seen=told.last_seen,
    )
