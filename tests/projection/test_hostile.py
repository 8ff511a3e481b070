"""What senders should never send: it is imported as far as a database holds it, and stops no event."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Engine

from tests.projection import support
from webapp.config import Settings
from webapp.models import Contact, Event
from webapp.models.event import APPLIED

# Characters of four bytes, in no order that a database could compress.
_random = random.Random(1)
WIDE = "".join(chr(_random.randrange(0x20000, 0x2A6D0)) for _ in range(1030))


def _identify(user: str, **more: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user} | more


def test_texts_of_any_length_and_script_are_imported(engine: Engine, settings: Settings) -> None:
    """Names, e-mails, ids and message ids are indexed, and no index of any database turns an event away."""
    email = f"{WIDE[:500]}@{WIDE[500:1000]}"
    _all_applied(
        engine,
        settings,
        [
            _identify("u1", traits={"firstName": WIDE, "lastName": WIDE}),
            _identify("u2", traits={"name": "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 1024}),
            _identify("u3", traits={"email": email}),
            _identify(WIDE[:255], anonymousId=WIDE[255:510], messageId=WIDE),
            {"type": "group", "groupId": WIDE[:255], "userId": WIDE[255:510], "traits": {"name": WIDE}},
        ],
        contacts=5,
    )


def test_e_mails_that_no_index_holds_still_say_who_is_who(engine: Engine, settings: Settings) -> None:
    """They are compared whole: the same one ties, and one that differs in its last letter does not."""
    email = f"{WIDE[:700]}@{WIDE[700:1000]}"
    source = _all_applied(
        engine,
        settings,
        [
            _identify("u1", traits={"email": email + "x"}),
            {"type": "identify", "anonymousId": "a1", "traits": {"email": email + "X"}},
            {"type": "identify", "anonymousId": "a2", "traits": {"email": email + "y"}},
        ],
        contacts=2,
    )
    assert {row["user_id"] for row in support.tables(engine, source)[1]} == {"u1", None}


def test_an_email_as_user_id_that_no_page_can_show_is_imported(engine: Engine, settings: Settings) -> None:
    """The e-mail it gives has U+FFFD where the id has a NUL or half a surrogate pair."""
    source = _all_applied(
        engine,
        settings,
        [
            b'{"type": "identify", "userId": "a\\u0000@x.example"}',
            b'{"type": "identify", "userId": "b\\ud800@x.example"}',
        ],
        contacts=2,
    )
    emails = {row["email"] for row in support.tables(engine, source)[1]}
    assert emails == {"a\N{REPLACEMENT CHARACTER}@x.example", "b\N{REPLACEMENT CHARACTER}@x.example"}


def test_numbers_of_any_length_are_imported(engine: Engine, settings: Settings) -> None:
    """A number of more digits than a database computes with is text, as a very long integer is."""
    digits = b"7" * 20_000
    source = _all_applied(
        engine,
        settings,
        [
            b'{"type": "identify", "userId": "u1", "traits": {"n": 1.%b}}' % digits,
            b'{"type": "identify", "userId": "u2", "traits": {"n": 0.%be-300}}' % digits,
            b'{"type": "identify", "userId": "u3", "traits": {"n": 1.5e-308, "m": 1.7e308}}',
        ],
        contacts=3,
    )
    first = next(row for row in support.tables(engine, source)[1] if row["user_id"] == "u1")
    assert first["custom"] == {"n": "1." + "7" * 253}


def _all_applied(engine: Engine, settings: Settings, events: list[Any], contacts: int) -> int:
    """Project events one by one and in a batch: none is parked. Returns the source's id."""
    for batches in ([events], [[event] for event in events]):
        source = support.make_source(engine)
        for batch in batches:
            support.receive(engine, source, batch)
            support.drain(engine, settings, source)
        applied = support.count_rows(engine, Event, Event.source_id == source, Event.state == APPLIED)
        assert applied == len(events)
        assert support.count_rows(engine, Contact, Contact.source_id == source) == contacts
    return source
