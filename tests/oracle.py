"""What the specification says should come out, computed from scratch and in the most obvious way.

Nothing here is shared with the application but the reading of one event: no registers, no neighbourhoods, no
increments. Every question is asked again of the list of all events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapp.domain import digests, segment, wire
from webapp.domain.segment import Reading

CONTACT = ("email", "first_name", "last_name", "title", "phone", "linked_in", "twitter")
CUSTOMER = ("name", "email", "website_url", "country", "state", "city", "zip")


@dataclass
class Word:
    """One event that says something, with its place among all others."""

    number: int
    reading: Reading

    @property
    def stamp(self) -> tuple[int, str, int]:
        return self.reading.time, self.reading.message_id, self.number


class World:
    """Everything that follows from a list of events as they were received."""

    def __init__(self, received: Iterable[tuple[bytes, int]]) -> None:
        """Take raw events with the instant of their receipt, in the order of receipt."""
        self.words: list[Word] = []
        seen = set()
        for number, (raw, received_at) in enumerate(received):
            digest = digests.digest(raw)
            if digest in seen:
                continue
            seen.add(digest)
            reading = segment.read(wire.decode(raw), received_at)
            if reading.reason is None:
                self.words.append(Word(number, reading))

    # Who is who ---------------------------------------------------------------------------------------------

    def said_of(self, identifier: tuple[str, str]) -> list[Word]:
        kind, value = identifier
        if kind == "user":
            return [word for word in self.words if word.reading.user_id == value]
        return [
            word for word in self.words if word.reading.user_id is None and word.reading.anonymous_id == value
        ]

    def users(self) -> list[str]:
        return sorted({word.reading.user_id for word in self.words if word.reading.user_id is not None})

    def anonymous(self) -> list[str]:
        return sorted(
            {
                word.reading.anonymous_id
                for word in self.words
                if word.reading.user_id is None and word.reading.anonymous_id is not None
            }
        )

    def tied_to(self, anonymous_id: str) -> str | None:
        """Rule 2."""
        both = [
            word
            for word in self.words
            if word.reading.anonymous_id == anonymous_id and word.reading.user_id is not None
        ]
        return min(both, key=lambda word: word.stamp).reading.user_id if both else None

    def tying_email(self, identifiers: list[tuple[str, str]]) -> str | None:
        told = [
            word
            for identifier in identifiers
            for word in self.said_of(identifier)
            if word.reading.contact.get("email")
        ]
        if told:
            email = max(told, key=lambda word: word.stamp).reading.contact["email"]
            return email.lower() if email else None
        users = [value for kind, value in identifiers if kind == "user"]
        return users[0].lower() if users and _is_email(users[0]) else None

    def people(self) -> list[list[tuple[str, str]]]:
        """The groups of identifiers that are one person each, by rules 1 to 4."""
        groups = {user: [("user", user)] for user in self.users()}
        untied = []
        for anonymous_id in self.anonymous():
            user = self.tied_to(anonymous_id)
            if user is None:
                untied.append(anonymous_id)
            else:
                groups[user].append(("anonymous", anonymous_id))
        email_of_user = {user: self.tying_email(group) for user, group in groups.items()}
        by_email: dict[str, list[tuple[str, str]]] = {}
        alone = []
        for anonymous_id in untied:
            email = self.tying_email([("anonymous", anonymous_id)])
            owners = [user for user, theirs in email_of_user.items() if email and theirs == email]
            if owners:
                first = min(owners, key=lambda user: (self.first_seen([("user", user)]), user))
                groups[first].append(("anonymous", anonymous_id))
            elif email:
                by_email.setdefault(email, []).append(("anonymous", anonymous_id))
            else:
                alone.append([("anonymous", anonymous_id)])
        return [*groups.values(), *by_email.values(), *alone]

    # What is known of them ----------------------------------------------------------------------------------

    def words_of(self, group: list[tuple[str, str]]) -> list[Word]:
        return [word for identifier in group for word in self.said_of(identifier)]

    def first_seen(self, group: list[tuple[str, str]]) -> int:
        return min(word.reading.time for word in self.words_of(group))

    def person(self, group: list[tuple[str, str]]) -> dict[str, Any]:
        words = sorted(self.words_of(group), key=lambda word: word.stamp)
        user = next((value for kind, value in group if kind == "user"), None)
        known: dict[str, Any] = {"user_id": user, "custom": {}}
        for attribute in CONTACT:
            strong = [w.reading.contact[attribute] for w in words if attribute in w.reading.contact]
            weak = [w.reading.weak[attribute] for w in words if attribute in w.reading.weak]
            known[attribute] = strong[-1] if strong else weak[-1] if weak else None
        if known["email"] is None and user and _is_email(user):
            known["email"] = user
        for word in words:
            known["custom"].update(word.reading.contact_custom)
        companies = [w.reading.group_id for w in words if w.reading.group_id is not None]
        known["company"] = companies[-1] if companies else None
        known["first_seen"] = min(w.reading.time for w in words)
        known["last_seen"] = max(w.reading.time for w in words)
        return known

    def company(self, group_id: str) -> dict[str, Any]:
        words = sorted((w for w in self.words if w.reading.group_id == group_id), key=lambda word: word.stamp)
        known: dict[str, Any] = {"external_id": group_id, "custom": {}}
        for attribute in CUSTOMER:
            told = [w.reading.company[attribute] for w in words if attribute in w.reading.company]
            known[attribute] = told[-1] if told else None
        for word in words:
            known["custom"].update(word.reading.company_custom)
        known["first_seen"] = min(w.reading.time for w in words)
        known["last_seen"] = max(w.reading.time for w in words)
        return known

    # What the policy makes of it ----------------------------------------------------------------------------

    def tables(self, policy: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The customers and contacts under a policy, in no particular order."""
        companies = sorted({w.reading.group_id for w in self.words if w.reading.group_id is not None})
        customers = [self.company(group_id) | {"contacts": 0, "kind": "company"} for group_id in companies]
        by_company = {customer["external_id"]: customer for customer in customers}
        contacts = []
        for group in self.people():
            person = self.person(group)
            company = person.pop("company")
            if person["user_id"] is None and person["email"] is None:
                continue
            if company is not None:
                by_company[company]["contacts"] += 1
                contacts.append(person | {"customer": ("company", company)})
            elif policy == "user":
                own = _own_customer(person)
                customers.append(own)
                contacts.append(person | {"customer": ("person", own["external_id"])})
        return customers, contacts


def _own_customer(person: dict[str, Any]) -> dict[str, Any]:
    name = " ".join(part for part in (person["first_name"], person["last_name"]) if part)
    return dict.fromkeys(CUSTOMER) | {
        "external_id": person["user_id"] or person["email"].lower(),
        "name": name or person["email"] or person["user_id"],
        "email": person["email"],
        "custom": {},
        "first_seen": person["first_seen"],
        "last_seen": person["last_seen"],
        "contacts": 1,
        "kind": "person",
    }


def _is_email(text: str) -> bool:
    before, at, after = text.partition("@")
    return bool(before and at and after) and "@" not in after and not any(c.isspace() for c in text)
