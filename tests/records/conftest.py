"""A company that Segment tells of and the billing system's customer that is the same, and a browser."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import Engine, select

from tests import people
from tests.copies import Fill
from tests.merging.test_merging import billing
from tests.projection import support
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer, Subscription
from webapp.models.base import new_uuid
from webapp.services.billing import subscriptions
from webapp.services.billing.records import ContactChange, CustomerChange, put_contacts, recount

AT = "2026-01-01T00:00:00Z"
JANUARY = 1_767_225_600_000_000
ACME = {"name": "Acme Inc", "email": "hello@acme.com", "plan": "pro"}
EVENTS = [
    {"type": "group", "messageId": "1", "userId": "u1", "groupId": "g1", "timestamp": AT, "traits": ACME},
    {
        "type": "identify",
        "messageId": "2",
        "userId": "u1",
        "timestamp": AT,
        "traits": {"email": "ada@acme.com", "name": "Ada Lovelace"},
    },
    {"type": "group", "messageId": "3", "groupId": "g2", "timestamp": AT, "traits": {"name": "Other"}},
]


@dataclass
class Pair:
    """Two customers that are the same, in an account where somebody is signed in."""

    engine: Engine
    app: object
    client: object

    def path(self, external_id: str) -> str:
        """The path of the customer behind which somebody of this id stands."""
        with self.engine.connect() as connection:
            query = select(Customer.uuid).join(
                DataSourceCustomer, DataSourceCustomer.customer_id == Customer.id
            )
            query = query.where(DataSourceCustomer.external_id == external_id)
            return f"/customers/cus_{connection.execute(query).scalar_one()}"

    def contact(self, email: str = "ada@acme.com") -> str:
        """The path of the contact who is shown with an address."""
        with self.engine.connect() as connection:
            query = select(Contact.uuid).where(Contact.email == email, Contact.within_id.is_(None))
            return f"/contacts/con_{connection.execute(query).scalar_one()}"

    def page(self, path: str) -> BeautifulSoup:
        """A page that must be there, as HTML."""
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return BeautifulSoup(answer.text, "html.parser")

    def send(self, page: str, path: str, answered: int = 303, **fields: object) -> BeautifulSoup:
        """Send a form of a page; the page that follows."""
        answer = people.post(self.client, page, path, **fields)
        assert answer.status_code == answered, (path, answer.status_code)
        return BeautifulSoup(answer.text, "html.parser") if answered != 303 else self.page(answer.location)

    def merge(self) -> str:
        """Merge the two; the path of the one."""
        other = self.path("g1").removeprefix("/customers/")
        self.send(self.path("b1"), f"{self.path('b1')}/merges", other=other)
        return self.path("b1")

    def subscription(self, external_id: str) -> str:
        """The public id of a subscription."""
        with self.engine.connect() as connection:
            query = select(Subscription.uuid).where(Subscription.external_id == external_id)
            return f"sub_{connection.execute(query).scalar_one()}"

    def row(self, external_id: str):
        """The row of a customer."""
        uuid = self.path(external_id).rpartition("_")[2]
        with self.engine.connect() as connection:
            return connection.execute(select(Customer.__table__).where(Customer.uuid == uuid)).one()


def two_customers(engine, settings) -> None:
    """The two, told by their sources and not merged; the billing source knows Ada too."""
    segment = support.make_source(engine)
    support.receive(engine, segment, EVENTS)
    support.drain(engine, settings, segment)
    told = {"name": "ACME", "website_url": "https://www.acme.com", "country": "US"}
    paid = billing(engine, CustomerChange("b1", told, {"tier": 2}), CustomerChange("b2", {"name": "Beta"}))
    with begin(engine) as connection:
        query = select(DataSourceCustomer).where(DataSourceCustomer.external_id == "b1")
        behind = connection.execute(query).one()
        ada = new_uuid()
        put_contacts(
            connection,
            paid,
            [ContactChange(ada, behind.origin_uuid, {"email": "Ada@acme.com", "title": "CTO"})],
        )
        recount(connection, paid, [ada], [behind.customer_id])


@pytest.fixture
def filling() -> Fill:
    return two_customers


@pytest.fixture
def pair(remembered, engine, app) -> Pair:
    """See `two_customers` and `Pair`."""
    return Pair(engine, app, people.signed_in(app))


@pytest.fixture
def paying(pair) -> Pair:
    """The same, where the billing customer has two subscriptions."""
    with begin(pair.engine) as connection:
        query = select(DataSourceCustomer).where(DataSourceCustomer.external_id == "b1")
        behind = connection.execute(query).one()
        told = [
            subscriptions.SubscriptionTold(
                name, behind.origin_uuid, Decimal(amount), "EUR", unit, 1, JANUARY + number
            )
            for number, (name, amount, unit) in enumerate((("s1", "1200.60", "year"), ("s2", "10", "month")))
        ]
        subscriptions.put_subscriptions(connection, behind.source_id, told)
    return pair
