"""ChartMogul's own Python client, pointed at a running server, does every call that we say we answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import chartmogul
import pytest
from chartmogul import (
    Account,
    APIError,
    Attributes,
    Contact,
    CustomAttributes,
    Customer,
    CustomerSubscription,
    DataSource,
    Ping,
    Plan,
    Tags,
)
from sqlalchemy import Engine

from tests.api.support import ADMIN, config, make_key
from tests.conftest import LiveServer


@pytest.fixture
def to(live_server: LiveServer, engine: Engine) -> chartmogul.Config:
    """What the client is told of the server."""
    return config(live_server, make_key(engine))


def at(day: str) -> datetime:
    """The beginning of a day as people hand it to the client: without a zone, which is UTC."""
    return datetime.fromisoformat(day)


def make_source(to: chartmogul.Config, name: str = "Billing") -> str:
    return str(DataSource.create(to, data={"name": name}).get().uuid)


def make_customer(to: chartmogul.Config, source: str, external_id: str, **told: Any) -> Any:
    data = {"data_source_uuid": source, "external_id": external_id, **told}
    return Customer.create(to, data=data).get()


def test_account_and_data_sources(to: chartmogul.Config) -> None:
    """Ping, account, and a source from its making to its deletion."""
    assert Ping.ping(to).get().data == "pong!"
    assert Account.retrieve(to).get().name == "Tributary"
    source = make_source(to)
    assert [each.name for each in DataSource.all(to).get().data_sources] == ["Billing"]
    got = DataSource.retrieve(to, uuid=source, with_processing_status=True).get()
    assert (got.system, got.status) == ("Import API", "idle")
    with pytest.raises(APIError, match="already a source named"):
        make_source(to, "billing")
    assert DataSource.destroy(to, uuid=source).get() is None
    assert DataSource.all(to).get().data_sources == []
    with pytest.raises(APIError, match="Data source not found"):
        DataSource.destroy(to, uuid=source).get()


def test_customers_with_their_attributes(to: chartmogul.Config) -> None:
    """Customers, their tags and custom attributes, one by one and by e-mail."""
    source = make_source(to)
    made = make_customer(
        to,
        source,
        "cus_0001",
        name="Adam Smith",
        company="Pinata",
        email="adam@smith.com",
        country="Germany",
        city="Berlin",
        zip="10115",
        website_url="https://smith.com",
        owner=ADMIN,
        lead_created_at=at("2022-10-14"),
        attributes={
            "tags": ["important", "Prio1"],
            "custom": [
                {"type": "String", "key": "channel", "value": "Facebook", "source": "integration"},
                {"type": "Integer", "key": "CAC", "value": 213},
                {"type": "Timestamp", "key": "convertedAt", "value": at("2015-09-08")},
                {"type": "Boolean", "key": "pro", "value": False},
                {"type": "Decimal", "key": "score", "value": 2.5},
            ],
        },
    )
    assert (made.name, made.country, made.address.city, made.status) == (
        "Adam Smith",
        "DE",
        "Berlin",
        "New Lead",
    )
    assert made.lead_created_at.replace(tzinfo=None) == at("2022-10-14")
    assert made.attributes.custom == {
        "CAC": 213,
        "channel": "Facebook",
        "convertedAt": "2015-09-08T00:00:00Z",
        "pro": False,
        "score": 2.5,
    }
    for n in range(2, 5):
        make_customer(to, source, f"cus_{n:04}", email=f"{n}@example.com")
    first = Customer.all(to, per_page=3).get()
    assert (len(first.entries), first.has_more) == (3, True)
    rest = Customer.all(to, per_page=3, cursor=first.cursor).get()
    assert ([each.external_id for each in rest.entries], rest.has_more) == (["cus_0004"], False)
    found = Customer.all(to, data_source_uuid=source, external_id="cus_0002", status="New_Lead").get()
    assert [each.email for each in found.entries] == ["2@example.com"]
    assert Customer.search(to, email="ADAM@smith.com").get().entries[0].uuid == made.uuid
    with pytest.raises(APIError, match=r"no@email\.com"):
        Customer.search(to, email="no@email.com").get()

    changed = Customer.modify(
        to, uuid=made.uuid, data={"city": "Paris", "country": "FR", "attributes": {"custom": {"CAC": 25}}}
    ).get()
    assert (changed.city, changed.country, changed.name) == ("Paris", "FR", "Adam Smith")
    assert Customer.retrieve(to, uuid=made.uuid).get().attributes.custom["CAC"] == 25

    uuid = made.uuid
    assert Tags.add(to, uuid=uuid, data={"tags": ["example"]}).get().tags == ["example", "important", "Prio1"]
    assert Tags.remove(to, uuid=uuid, data={"tags": ["Prio1"]}).get().tags == ["example", "important"]
    assert Tags.retrieve(to, uuid=uuid).get().tags == ["example", "important"]
    by_email = Tags.add_by_email(to, data={"email": "adam@smith.com", "tags": ["called"]}).get()
    assert by_email.entries[0].attributes.tags == ["called", "example", "important"]
    added = CustomAttributes.add(
        to, uuid=uuid, data={"custom": [{"type": "Integer", "key": "age", "value": 8}]}
    ).get()
    assert added.custom["age"] == 8
    updated = CustomAttributes.update(to, uuid=uuid, data={"custom": {"age": 20, "channel": "Twitter"}}).get()
    assert (updated.custom["age"], updated.custom["channel"]) == (20, "Twitter")
    removed = CustomAttributes.remove(to, uuid=uuid, data={"custom": ["age", "CAC", "pro"]}).get()
    assert removed.custom.keys() == {"channel", "convertedAt", "score"}
    by_email = CustomAttributes.add_by_email(
        to, data={"email": "adam@smith.com", "custom": [{"type": "String", "key": "tier", "value": "gold"}]}
    ).get()
    assert by_email.entries[0].attributes.custom["tier"] == "gold"
    assert CustomAttributes.retrieve(to, uuid=uuid).get().custom["tier"] == "gold"
    assert Attributes.retrieve(to, uuid=uuid).get().tags == ["called", "example", "important"]

    assert Customer.destroy(to, uuid=uuid).get() is None
    with pytest.raises(APIError, match="Customer not found"):
        Customer.retrieve(to, uuid=uuid).get()


def test_contacts_and_merges(to: chartmogul.Config) -> None:
    """Contacts of a customer, merged; then two customers merged and unmerged."""
    source, other = make_source(to), make_source(to, "Old billing")
    new, old = make_customer(to, source, "new", name="New"), make_customer(to, other, "old", name="Old")
    told = {"customer_uuid": new.uuid, "data_source_uuid": source, "email": "a@example.com", "title": "CTO"}
    told |= {"custom": [{"key": "Toggle", "value": False}], "notes": "Likes tea", "external_id": "c1"}
    ann = Contact.create(to, data=told).get()
    assert (ann.customer_external_id, ann.custom, ann.notes) == ("new", {"Toggle": False}, "Likes tea")
    bob = Customer.createContact(
        to, uuid=new.uuid, data={"data_source_uuid": source, "first_name": "B"}
    ).get()
    contacts = Customer.contacts(to, uuid=new.uuid).get()
    assert [each.uuid for each in contacts.entries] == [ann.uuid, bob.uuid]
    assert Contact.all(to, per_page=1, email="a@example.com").get().has_more is False
    changed = Contact.modify(
        to, uuid=bob.uuid, data={"last_name": "Byte", "custom": [{"key": "n", "value": 3}]}
    )
    assert (changed.get().last_name, Contact.retrieve(to, uuid=bob.uuid).get().custom) == ("Byte", {"n": 3})
    merged = Contact.merge(to, into_uuid=ann.uuid, from_uuid=bob.uuid).get()
    assert (merged.uuid, merged.first_name, merged.title) == (ann.uuid, "B", "CTO")
    assert [each.uuid for each in Contact.all(to).get().entries] == [ann.uuid]
    with pytest.raises(APIError, match="Contact not found"):
        Contact.retrieve(to, uuid=bob.uuid).get()

    data: Any = {"from": {"customer_uuid": old.uuid}, "into": {"customer_uuid": new.uuid}}
    assert Customer.merge(to, data=data).get() is None
    one = Customer.retrieve(to, uuid=new.uuid).get()
    assert (one.external_ids, one.data_source_uuids) == (["new", "old"], [source, other])
    with pytest.raises(APIError, match="Customer not found"):
        Customer.retrieve(to, uuid=old.uuid).get()
    data = {"customer_uuid": new.uuid, "data_source_uuid": other, "external_id": "old"}
    assert Customer.unmerge(to, data=data).get() is None
    assert Customer.retrieve(to, uuid=old.uuid).get().name == "Old"
    data = {
        "from": {"data_source_uuid": other, "external_id": "old"},
        "into": {"data_source_uuid": source, "external_id": "new"},
    }
    assert Customer.merge(to, data=data).get() is None
    assert len(Customer.all(to).get().entries) == 1
    Contact.destroy(to, uuid=ann.uuid).get()
    assert [each.uuid for each in Contact.all(to).get().entries] == [bob.uuid]


def test_plans_and_subscriptions(to: chartmogul.Config) -> None:
    """Plans, and subscriptions that make a customer's MRR, are connected, cancelled and go on again."""
    source = make_source(to)
    customer = make_customer(to, source, "cus_1").uuid
    told = {"data_source_uuid": source, "name": "Gold", "interval_count": 1, "interval_unit": "year"}
    gold = Plan.create(to, data=told | {"external_id": "gold"}).get()
    weekly = Plan.create(to, data=told | {"name": "Weekly", "interval_unit": "week"}).get()
    assert [each.name for each in Plan.all(to, per_page=2).get().plans] == ["Gold", "Weekly"]
    assert Plan.all(to, data_source_uuid=source, external_id="gold").get().plans[0].uuid == gold.uuid
    assert Plan.modify(to, uuid=weekly.uuid, data={"name": "Silver"}).get().name == "Silver"
    assert Plan.retrieve(to, uuid=weekly.uuid).get().interval_unit == "week"

    paid: Any = {"data_source_uuid": source, "external_id": "sub_1", "plan_uuid": gold.uuid}
    paid |= {"amount_in_cents": 12000, "currency": "usd", "start_date": at("2024-01-01")}
    one = CustomerSubscription.create(to, uuid=customer, data=dict(paid)).get()
    assert (one.mrr, one.arr, one.plan, one.billing_cycle, one.status) == (
        1000,
        12000,
        "Gold",
        "year",
        "active",
    )
    assert one.currency_sign == "$"
    month = paid | {"external_id": "sub_2", "interval_unit": "month", "amount_in_cents": 500}
    two = CustomerSubscription.create(to, uuid=customer, data=month).get()
    got = Customer.retrieve(to, uuid=customer).get()
    assert (got.mrr, got.arr, got.currency, got.status) == (1500, 18000, "USD", "Active")
    assert got.customer_since.replace(tzinfo=None) == at("2024-01-01")
    subscriptions = Customer.subscriptions(to, uuid=customer, per_page=1).get()
    assert (subscriptions.entries[0].external_id, subscriptions.has_more) == ("sub_1", True)

    names = {"subscriptions": [{"data_source_uuid": source, "external_id": "sub_1"}, {"uuid": two.uuid}]}
    assert Customer.connectSubscriptions(to, uuid=customer, data=names).get() is None
    with pytest.warns(DeprecationWarning, match="deprecated"):
        listed = CustomerSubscription.list_imported(to, uuid=customer).get()
    assert listed.customer_uuid == customer
    assert len({each.subscription_set_external_id for each in listed.subscriptions}) == 1
    assert Customer.disconnectSubscriptions(to, uuid=customer, data=names).get() is None

    ended = CustomerSubscription.cancel(to, uuid=two.uuid, data={"cancelled_at": at("2025-01-15")}).get()
    assert ended.cancellation_dates[0].replace(tzinfo=None) == at("2025-01-15")
    assert Customer.retrieve(to, uuid=customer).get().mrr == 1000
    again = CustomerSubscription.modify(to, uuid=two.uuid, data={"cancellation_dates": []}).get()
    assert (again.cancellation_dates, again.status) == ([], "active")
    with pytest.raises(APIError, match="Subscriptions are on this plan: 2"):
        Plan.destroy(to, uuid=gold.uuid).get()
    assert Plan.destroy(to, uuid=weekly.uuid).get() is None
