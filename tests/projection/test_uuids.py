"""Customers and contacts keep their identity, whatever is learned about who they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from sqlalchemy import Engine, select

from tests.projection import support
from webapp.config import Settings
from webapp.models import Contact, Customer, Identifier
from webapp.models.base import new_uuid

Tell = Callable[..., None]


@pytest.fixture
def source_id(engine: Engine) -> int:
    """A source under "The email or UserID is created"."""
    return support.make_source(engine, "user")


@pytest.fixture
def tell(engine: Engine, settings: Settings, source_id: int) -> Tell:
    """Receive some events and apply them."""

    def told(*events: dict[str, Any]) -> None:
        support.receive(engine, source_id, events)
        support.drain(engine, settings, source_id)

    return told


def identify(at: int, user: str | None = None, anonymous: str | None = None, **traits: Any) -> dict[str, Any]:
    return {
        "type": "identify",
        "timestamp": at,
        "userId": user,
        "anonymousId": anonymous,
        "traits": traits,
    }


def contacts(engine: Engine) -> dict[str, Any]:
    """Contacts by what names them: user id, else e-mail."""
    with engine.connect() as connection:
        query = select(
            Contact.__table__, Customer.external_id.label("under"), Customer.uuid.label("under_uuid")
        )
        rows = connection.execute(query.join(Customer, Customer.id == Contact.customer_id)).all()
    return {row.user_id or row.email: row for row in rows}


def test_an_email_that_gets_a_user_id_stays_the_same_customer_and_contact(engine: Engine, tell: Tell) -> None:
    """A newsletter subscriber who signs up later is not a new record."""
    tell(identify(1, anonymous="a1", email="Ada@x.example"))
    before = contacts(engine)["Ada@x.example"]
    assert before.under == "ada@x.example"
    tell(identify(2, user="u1", anonymous="a1", email="ada@x.example"))
    after = contacts(engine)["u1"]
    assert (after.uuid, after.under_uuid, after.under) == (before.uuid, before.under_uuid, "u1")
    assert support.count_rows(engine, Customer) == 1


def test_who_gains_a_company_moves_and_stops_being_a_customer_of_their_own(
    engine: Engine, tell: Tell
) -> None:
    """The contact keeps its uuid under the company's customer."""
    tell(identify(1, user="u1", email="ada@x.example"))
    before = contacts(engine)["u1"]
    tell(identify(2, user="u1", company={"id": "acme", "name": "Acme"}))
    after = contacts(engine)["u1"]
    assert (after.uuid, after.under) == (before.uuid, "acme")
    assert support.count_rows(engine, Customer) == 1


def test_who_changes_companies_moves_and_both_count_right(engine: Engine, tell: Tell) -> None:
    """The latest attachment is their company, also when word of an earlier one comes later."""
    tell(identify(5, user="u1", company={"id": "acme"}))
    tell(identify(9, user="u1", company={"id": "bolt"}), identify(7, user="u1", company={"id": "cobb"}))
    assert contacts(engine)["u1"].under == "bolt"
    with engine.connect() as connection:
        counts = dict(connection.execute(select(Customer.external_id, Customer.contacts)).all())
    assert counts == {"acme": 0, "bolt": 1, "cobb": 0}


def test_of_two_persons_that_become_one_the_uuid_of_the_one_first_seen_stays(
    engine: Engine, tell: Tell
) -> None:
    """Whichever was stored first."""
    tell(identify(5, user="u1", email="ada@x.example"))
    tell(identify(3, anonymous="a1", email="someone@x.example"))
    anonymous = contacts(engine)["someone@x.example"].uuid
    tell(identify(8, user="u1", anonymous="a1"))
    assert contacts(engine).keys() == {"u1"}
    assert contacts(engine)["u1"].uuid == anonymous
    assert support.count_rows(engine, Customer) == 1


def test_when_persons_part_the_other_comes_back(engine: Engine, tell: Tell) -> None:
    """An earlier event can say that a visitor was somebody else: both have the uuids they had."""
    tell(identify(1, user="u1", email="ada@x.example"), identify(2, user="u2", email="bob@x.example"))
    tell(identify(3, anonymous="a1", email="third@x.example"))
    before = contacts(engine)
    tell(identify(9, user="u1", anonymous="a1"))
    assert contacts(engine).keys() == {"u1", "u2"}
    tell(identify(8, user="u2", anonymous="a1"))
    assert {name: row.uuid for name, row in contacts(engine).items()} == {
        name: before[name].uuid for name in ("u1", "u2")
    }
    assert contacts(engine)["u2"].email == "third@x.example"


def test_visitors_whose_email_changes_part_again(engine: Engine, tell: Tell) -> None:
    """Rule 4 holds for the e-mails of the present."""
    tell(identify(1, anonymous="a1", email="ada@x.example"))
    tell(identify(2, anonymous="a2", email="bob@x.example"))
    second = contacts(engine)["bob@x.example"].uuid
    tell(identify(3, anonymous="a2", email="ada@x.example"))
    assert contacts(engine).keys() == {"ada@x.example"}
    tell(identify(4, anonymous="a2", email="bob@x.example"))
    assert contacts(engine)["bob@x.example"].uuid == second


def test_two_user_ids_are_never_one_person(engine: Engine, tell: Tell) -> None:
    """Whatever they share: an e-mail, a visitor."""
    tell(identify(1, user="u1", anonymous="a1", email="ada@x.example"))
    tell(identify(2, user="u2", anonymous="a1", email="ada@x.example"))
    assert contacts(engine).keys() == {"u1", "u2"}


def test_a_visitor_with_the_email_of_two_users_belongs_to_the_one_first_seen(
    engine: Engine, tell: Tell
) -> None:
    """Rule 3, and it holds when an earlier event makes the other one the first."""
    tell(identify(3, user="u1", email="ada@x.example"), identify(4, user="u2", email="ADA@x.example"))
    tell(identify(5, anonymous="a1", email="ada@x.example", title="Countess"))
    assert contacts(engine)["u1"].title == "Countess"
    tell(identify(2, user="u2"))
    assert (contacts(engine)["u1"].title, contacts(engine)["u2"].title) == (None, "Countess")


def test_a_user_id_that_is_an_email_ties_where_no_email_was_told(engine: Engine, tell: Tell) -> None:
    """And it is the contact's e-mail."""
    tell(
        identify(1, user="ada@x.example"),
        identify(2, anonymous="a1", email="ada@x.example", title="Countess"),
    )
    contact = contacts(engine)["ada@x.example"]
    assert (contact.email, contact.title) == ("ada@x.example", "Countess")
    assert support.count_rows(engine, Contact) == 1


def test_an_event_touches_nobody_but_the_persons_concerned(engine: Engine, tell: Tell) -> None:
    """The rows of everybody else stay as they are, to the moment of their last change."""
    tell(*(identify(n, user=f"u{n}", email=f"user{n}@x.example") for n in range(1, 50)))
    before = contacts(engine)
    tell(identify(60, anonymous="a1", email="user7@x.example", title="Countess"))
    after = contacts(engine)
    assert [name for name in after if after[name].updated_at != before[name].updated_at] == ["u7"]
    assert after["u7"].title == "Countess"


def test_a_thousand_visitors_beside_one_user_id_cost_no_more_than_their_own_rows(
    engine: Engine, tell: Tell
) -> None:
    """A server that makes up an anonymous id for every call must not slow its users down."""
    tell(*(identify(n, user="u1", anonymous=f"a{n}") for n in range(1, 1001)))
    assert support.count_rows(engine, Contact) == 1
    assert support.count_rows(engine, Identifier, Identifier.person_uuid.is_not(None)) == 1


def test_ids_that_the_database_cannot_hold_as_text_are_told_apart(engine: Engine, tell: Tell) -> None:
    """NUL and lone surrogates are shown as U+FFFD, but compared as received."""
    tell(
        identify(1, user="nul\0", title="First"),
        identify(2, user="lone\ud800", title="Second"),
        identify(3, user="lone\udfff", title="Third", company={"id": "\ud800", "name": "\0"}),
    )
    assert support.count_rows(engine, Contact) == 3
    with engine.connect() as connection:
        rows = connection.execute(select(Contact.title, Contact.user_id)).all()
    assert dict(rows) == {"First": "nul\ufffd", "Second": "lone\ufffd", "Third": "lone\ufffd"}


def test_what_is_made_together_stands_together_in_indexes() -> None:
    """Ids in no order would touch a page of every index of theirs for each row."""
    made = []
    for _ in range(5):
        made.append(new_uuid())
        time.sleep(0.002)
    assert made == sorted(made)
    assert len({new_uuid() for _ in range(1000)}) == 1000
    assert {UUID(name).version for name in made} == {7}
    assert {UUID(name).variant for name in made} == {RFC_4122}
