"""Two customers become one, and two again; nothing a source says later changes who was merged."""

from sqlalchemy import Engine, insert, select

from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer, Decision, Source, now
from webapp.models.base import new_uuid
from webapp.services import merges
from webapp.services.billing.records import ContactChange, CustomerChange, put_contacts, put_customers
from webapp.services.merges import By


def billing(engine: Engine, *changes: CustomerChange) -> int:
    """A billing source with customers; its id."""
    uuid = new_uuid()
    row = {"uuid": uuid, "name": f"Billing {uuid}", "name_key": uuid, "kind": "billing", "created_at": now()}
    with begin(engine) as connection:
        statement = insert(Source).values(policy="", applied_policy="", **row).returning(Source.id)
        source_id = connection.execute(statement).scalar_one()
        put_customers(connection, source_id, changes)
    return source_id


def origin(engine: Engine, source_id: int, external_id: str) -> str:
    """The uuid of a data source customer."""
    with engine.connect() as connection:
        query = select(DataSourceCustomer.origin_uuid).where(
            DataSourceCustomer.source_id == source_id, DataSourceCustomer.external_id == external_id
        )
        return connection.scalar(query) or ""


def customers(engine: Engine) -> list:
    with engine.connect() as connection:
        return list(connection.execute(select(Customer.__table__).order_by(Customer.external_id)).all())


def test_a_merged_customer_shows_the_primary_s_value_else_the_other_s(
    engine: Engine, settings: Settings
) -> None:
    """The billing customer leads; what it does not tell, Segment's company adds."""
    segment = make_source(engine)
    told = {
        "type": "group",
        "messageId": "1",
        "userId": "u1",
        "groupId": "g1",
        "timestamp": "2026-01-01T00:00:00Z",
    }
    receive(engine, segment, [told | {"traits": {"name": "Acme Inc", "email": "a@acme.com", "plan": "pro"}}])
    receive(
        engine,
        segment,
        [
            {
                "type": "identify",
                "messageId": "2",
                "userId": "u1",
                "timestamp": "2026-01-01T00:00:00Z",
                "traits": {"email": "ada@acme.com"},
            }
        ],
    )
    drain(engine, settings, segment)
    paid = billing(engine, CustomerChange("b1", {"name": "ACME", "country": "US"}, {"tier": 2}))
    b1, g1 = origin(engine, paid, "b1"), origin(engine, segment, "g1")
    ada = ContactChange(new_uuid(), b1, {"email": "Ada@acme.com", "title": "CTO"})
    with begin(engine) as connection:
        put_contacts(connection, paid, [ada])
    alone = customers(engine)
    with begin(engine) as connection:
        merges.merge(connection, [(b1, g1)], By())
    (row,) = customers(engine)
    assert (row.name, row.email, row.country, row.custom) == (
        "ACME",
        "a@acme.com",
        "US",
        {"plan": "pro", "tier": 2},
    )
    assert row.uuid == b1
    assert row.contacts == 1
    with engine.connect() as connection:
        contacts = connection.execute(
            select(Contact.__table__).order_by(Contact.within_id.is_not(None))
        ).all()
    assert [c.title for c in contacts] == ["CTO", None]
    assert contacts[0].user_id == "u1"
    receive(
        engine,
        segment,
        [told | {"messageId": "3", "timestamp": "2026-02-01T00:00:00Z", "traits": {"city": "Bonn"}}],
    )
    drain(engine, settings, segment)
    assert customers(engine)[0].city == "Bonn"
    with begin(engine) as connection:
        merges.unmerge(connection, connection.scalars(select(Decision.id)).all(), By())
    again = customers(engine)
    assert [(r.uuid, r.name, r.contacts) for r in again] == [(r.uuid, r.name, r.contacts) for r in alone]
