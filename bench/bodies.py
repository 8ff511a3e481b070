"""Made-up events for benchmarks: what Segment's ChartMogul destination posts, of people who come again.

The same arguments give the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from bench.people import ALONE, ATTACHED
from webapp.domain.clock import iso
from webapp.services.rows import chunks

SECOND = 1_000_000
START = 1_767_225_600 * SECOND  # 2026-01-01
PER_PERSON = 10
PER_COMPANY = 20
NEIGHBOURS = 2000
"""Where people come in visits, the events of one person are found among so many of others."""
REPEATED, LATE = 0.1, 0.05
"""Shares of a backlog: told a second time, and told after something later."""

FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Leslie", "Zoë")
LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Backus", "Lamport")
PLANS = ("free", "starter", "pro", "enterprise")


def contact(person: int, number: int, at: int) -> dict[str, Any]:
    """A call of some 700 bytes that tells of somebody: details, a company for two in three, some traits."""
    first, last = FIRST[person % len(FIRST)], LAST[person % len(LAST)]
    company = person // PER_COMPANY
    body: dict[str, Any] = {
        "type": "Send Contact",
        "message_id": f"ajs-next-{at // 1000}-{person:08x}-{number:04x}",
        "timestamp": iso(at),
        "sent_at": iso(at + SECOND),
        "user_id": f"u_{person:08}",
        "anonymous_id": f"{person * 2654435761 % 2**32:08x}-5a1e-4b9d-8c2f-{person:012x}",
        "email": f"{first}.{last}.{person}@company{company}.example".lower(),
        "first_name": first,
        "last_name": last,
        "title": "Head of Operations" if number < 5 else "Chief Operating Officer",
        "phone": f"+49 30 {person:08}",
        "linked_in": f"https://www.linkedin.com/in/{first}-{last}-{person}".lower(),
        "twitter": f"@{first}{last}{person}".lower(),
        "landing_page": f"https://www.tributary.example/pricing?campaign=spring-{person % 12}",
        "plan": PLANS[(person + number) % len(PLANS)],
        "login_count": 7 * number + person % 100,
        "score": round((person * 31 + number * 17) % 1000 / 10, 1),
        "newsletter": person % 2 == 0,
        "signed_up_at": iso(START + person % 86_400 * SECOND),
    }
    if person % 3:
        body["company"] = {"id": f"org_{company:06}", "name": f"Company {company} Incorporated"}
    return body


def customer(person: int, number: int, at: int) -> dict[str, Any]:
    """A call that tells of somebody's company."""
    company = person // PER_COMPANY
    return {
        "type": "Send Customer",
        "message_id": f"ajs-next-{at // 1000}-{person:08x}-{number:04x}",
        "timestamp": iso(at),
        "sent_at": iso(at + SECOND),
        "user_id": f"u_{person:08}",
        "group_id": f"org_{company:06}",
        "name": f"Company {company} Incorporated",
        "email": f"billing@company{company}.example",
        "website": f"https://www.company{company}.example",
        "created_at": iso(START - company % 1000 * 86_400 * SECOND),
        "employees": 10 + company % 500 + number,
        "plan": PLANS[(company + number) % len(PLANS)],
        "address": {"street": "1 High Street", "city": "Lyon", "postal_code": "69001", "country": "FR"},
    }


def posted(rows: int, first: int = 0) -> Iterator[bytes]:
    """Calls as they reach the webhook, all different: one in twenty tells of a company.

    Args:
        rows: how many.
        first: number of the first; other numbers give other calls.
    """
    for number in range(first, first + rows):
        tell = customer if number % 20 == 19 else contact
        yield encoded(tell(number // PER_PERSON, number % PER_PERSON, START + number * SECOND))


def backlog(rows: int, people: int, window: int, first: int = 0) -> Iterator[bytes]:
    """An inbox that waits: some events a person, a tenth of them repeats, a twentieth out of order.

    A repeat is one that the inbox cannot know again: it says the same under the same message id, and came by
    another way.

    Args:
        rows: how many events.
        people: how many persons tell them, in turns.
        window: the events of one person arrive among so many events of others.
        first: number of the first person.
    """
    draw = random.Random(rows)
    each = rows // people
    turns = max(1, window // each)  # persons whose events are mixed
    number = 0
    for start in range(0, people, turns):
        crowd = [first + person for person in range(start, min(start + turns, people)) for _ in range(each)]
        draw.shuffle(crowd)
        told: dict[int, list[dict[str, Any]]] = {}
        for person in crowd:
            before = told.setdefault(person, [])
            yield encoded(_next(draw, person, before, START + number * SECOND))
            number += 1


def _next(draw: random.Random, person: int, before: list[dict[str, Any]], at: int) -> dict[str, Any]:
    count = len(before)
    if before and draw.random() < REPEATED * 10 / 9:
        body = draw.choice(before) | {"channel": f"replay {count}"}
    elif before and draw.random() < LATE * 10 / 9:
        body = contact(person, count, at - 86_400 * SECOND)
    elif person % 3 and count == 1:
        body = customer(person, count, at)
    else:
        body = contact(person, count, at)
    before.append(body)
    return body


def returning(rows: int, people: int, window: int) -> Iterator[bytes]:
    """New events of those whom `bench.people` has stored, ten of each, drawn from among all of them.

    Args:
        rows: how many events.
        people: how many persons there are.
        window: the events of one person arrive among so many events of others.
    """
    draw = random.Random(rows)
    known = [n for n in range(people) if n % 10 < ATTACHED or n % 10 == ALONE - 2]  # all have a user id
    crowd = draw.sample(known, rows // PER_PERSON)
    number = 0
    for some in chunks(crowd, window // PER_PERSON):
        turns = [person for person in some for _ in range(PER_PERSON)]
        draw.shuffle(turns)
        for person in turns:
            body = contact(person, number, START + number * SECOND)
            body.pop("company", None)
            yield encoded(body | {"user_id": f"u_{person}", "email": f"person{person}@mail.example"})
            number += 1


def encoded(body: dict[str, Any]) -> bytes:
    """The bytes that Segment posts."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
