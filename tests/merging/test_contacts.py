"""Contacts of merged customers: one human is shown once, under every turn of what sources tell."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, insert, select

from tests import people
from tests.copies import Fill
from tests.merging.world import Remembered, World
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, CustomAttribute
from webapp.models.base import new_uuid
from webapp.services import merges
from webapp.services.billing import changing, records
from webapp.services.billing.records import ContactChange
from webapp.services.decisions import By

ACME = {"id": "g1", "name": "Acme"}


def person(at: int, user: str, email: str | None = None, **traits: Any) -> dict[str, Any]:
    """A call of somebody at Acme."""
    told = traits | ({"email": email} if email else {})
    return {"type": "identify", "userId": user, "timestamp": at, "traits": told, "context": {"groupId": "g1"}}


def acme(engine: Engine, settings: Settings) -> Remembered:
    """Acme, as Segment and as the billing system, one customer; the latter knows Ada."""
    world = World(engine, settings)
    world.tell("s", [{"type": "group", "userId": "u1", "groupId": "g1", "timestamp": 1, "traits": ACME}])
    world.bill("b1", name="ACME")
    world.bill_contact("b1", email="Ada@x.example", title="CTO")
    world.merge(("b", "b1"), ("s", "gg1"))
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return acme


def shown(world: World) -> list[tuple[str | None, ...]]:
    """The contacts that are shown: user id, e-mail, title."""
    with world.engine.connect() as connection:
        query = select(Contact.user_id, Contact.email, Contact.title).where(Contact.within_id.is_(None))
        return sorted((tuple(row) for row in connection.execute(query)), key=str)


def everybody(world: World) -> list[Any]:
    """The rows of all contacts, those that are shown first."""
    with world.engine.connect() as connection:
        rows = connection.execute(select(Contact.__table__).order_by(Contact.id)).all()
    return sorted(rows, key=lambda row: row.within_id is not None)


def told_by(world: World, source: str) -> Any:
    """The row of the contact that a source tells of."""
    return next(row for row in everybody(world) if row.source_id == world.sources[source])


def test_somebody_is_joined_and_parted_as_their_email_comes_and_goes(world: World) -> None:
    """E-mails of the present are what counts, in whatever case."""
    world.tell("s", [person(2, "u1")])
    assert shown(world) == [("u1", None, None), (None, "Ada@x.example", "CTO")]
    world.tell("s", [person(3, "u1", "ADA@X.example")])
    assert shown(world) == [("u1", "Ada@x.example", "CTO")]
    world.tell("s", [person(4, "u1", "bob@x.example")])
    assert shown(world) == [("u1", "bob@x.example", None), (None, "Ada@x.example", "CTO")]
    world.check()


def test_two_of_one_source_with_one_email_stay_two(world: World) -> None:
    """To that source they are two humans; the first of them is the one that billing knows."""
    world.tell("s", [person(2, "u1", "ada@x.example"), person(3, "u2", "ada@x.example")])
    assert shown(world) == [("u1", "Ada@x.example", "CTO"), ("u2", "ada@x.example", None)]
    world.tell("s", [person(4, "u1", "else@x.example")])
    assert shown(world) == [("u1", "else@x.example", None), ("u2", "Ada@x.example", "CTO")]
    world.check()


def test_who_shows_another_and_goes_lets_go_of_it(world: World) -> None:
    """The billing source deletes its contact: Segment's is shown again, with what Segment tells."""
    world.tell("s", [person(2, "u1", "ada@x.example")])
    ada = told_by(world, "b")
    with begin(world.engine) as connection:
        changing.remove_contact(connection, ada, "billing")
    assert shown(world) == [("u1", "ada@x.example", None)]
    world.check()


def test_who_stands_within_another_and_moves_to_another_company_is_shown_there(world: World) -> None:
    """And the other one shows its own source's word alone again."""
    world.tell("s", [person(2, "u1", "ada@x.example", firstName="Ada")])
    moved = person(5, "u1", "ada@x.example") | {"context": {"groupId": "g2"}}
    world.tell("s", [moved])
    assert shown(world) == [("u1", "ada@x.example", None), (None, "Ada@x.example", "CTO")]
    assert [row.own for row in everybody(world)] == [None, None]
    world.check()


def test_a_contact_that_a_billing_source_moves_is_counted_where_it_is(world: World) -> None:
    """By the customer that it left, too."""
    world.bill("b2", name="Bolt")
    ada = told_by(world, "b")
    with begin(world.engine) as connection:
        under = world.origin(connection, ("b", "b2")) or ""
        records.put_contacts(connection, world.sources["b"], [ContactChange(ada.uuid, under)])
    world.check()


def test_contacts_merged_by_hand_that_go_together_are_counted_once(world: World) -> None:
    """Both turn out to be somebody known before: the company has no contact too many from them."""
    anonymous = [
        {"type": "identify", "anonymousId": f"a{n}", "timestamp": 2, "traits": {"email": f"{n}@x.example"}}
        | {"context": {"groupId": "g1"}}
        for n in (1, 2)
    ]
    world.tell("s", [person(1, "u9", "9@x.example"), *anonymous])
    one, other = (row for row in everybody(world) if row.email in ("1@x.example", "2@x.example"))
    with begin(world.engine) as connection:
        merges.merge_contacts(connection, one, other, By())
    tied = [person(at, "u9", "9@x.example") | {"anonymousId": f"a{n}"} for at, n in ((3, 1), (4, 2))]
    world.tell("s", tied)
    world.check()


def test_contacts_merged_by_hand_are_one_until_they_are_separated(world: World) -> None:
    """Whatever their e-mails; separated, not even one e-mail joins them again by itself."""
    world.tell("s", [person(2, "u1", "bob@x.example")])
    ada, bob = told_by(world, "b"), told_by(world, "s")
    with begin(world.engine) as connection:
        merges.merge_contacts(connection, bob, ada, By())
    assert shown(world) == [("u1", "bob@x.example", "CTO")]
    ada = told_by(world, "b")
    with begin(world.engine) as connection, pytest.raises(merges.CannotMerge, match="one contact already"):
        merges.merge_contacts(connection, bob, ada, By())
    with begin(world.engine) as connection:
        merges.split_contact(connection, ada, By())
    world.tell("s", [person(4, "u1", "ada@x.example")])
    assert shown(world) == [("u1", "ada@x.example", None), (None, "Ada@x.example", "CTO")]
    world.check()
    bob = told_by(world, "s")
    with begin(world.engine) as connection, pytest.raises(merges.CannotMerge, match="alone already"):
        merges.split_contact(connection, bob, By())


def test_a_contact_is_separated_on_its_page(world: World, app: Flask) -> None:
    """Its page names the sources that tell of it; each can be taken out."""
    world.tell("s", [person(2, "u1", "ada@x.example")])
    client = people.signed_in(app)
    head, inside = everybody(world)
    page = client.get(f"/contacts/con_{head.uuid}").text
    assert f'value="{inside.uuid}"' in page
    form = {"csrf_token": people.csrf_token(client, f"/contacts/con_{head.uuid}"), "contact": inside.uuid}
    answer = client.post(f"/contacts/con_{head.uuid}/separations", data=form, follow_redirects=True)
    assert "Separated" in answer.text
    assert len(shown(world)) == 2
    answer = client.post(f"/contacts/con_{head.uuid}/separations", data=form, follow_redirects=True)
    assert "no part of this contact" in answer.text


def test_what_is_ignored_is_not_imported_from_billing_either(world: World) -> None:
    """Until it is imported again; merged or not makes no difference."""
    with begin(world.engine) as connection:
        row = {"entity": "contact", "key": "secret", "hidden": False, "ignored": True}
        connection.execute(insert(CustomAttribute).values(**row))
        origin = world.origin(connection, ("b", "b1")) or ""
        change = ContactChange(new_uuid(), origin, {"email": "eve@x.example"}, {"secret": 1, "plan": "pro"})
        records.put_contacts(connection, world.sources["b"], [change])
    assert next(row for row in everybody(world) if row.email == "eve@x.example").custom == {"plan": "pro"}
