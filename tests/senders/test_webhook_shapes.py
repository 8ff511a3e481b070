"""Bodies as RudderStack's and Jitsu's webhook destinations post them, and Segment's, each to the webhook URL.

The shapes are theirs: what their servers add (`request_ip`, `rudderId`, `requestIp`, `context.geo`, ...)
stands around what an application told, and none of it becomes somebody's attribute.
"""

import pytest
from sqlalchemy import select

from tests.projection.support import drain
from webapp.models import Contact, Customer

TRAITS = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "plan": "pro"}
LIBRARY = {"name": "RudderLabs JavaScript SDK", "version": "3.7.5"}


def from_rudderstack(type_, **told):
    """A call as RudderStack's webhook destination posts it: traits of a person stand in the context."""
    return {
        "anonymousId": "97c46c81-3140-456d-b2a9-690d70aaca35",
        "channel": "web",
        "context": {
            "app": {"name": "RudderLabs JavaScript SDK", "namespace": "com.rudderlabs.javascript"},
            "ip": "203.0.113.9",
            "library": LIBRARY,
            "locale": "en-GB",
            "page": {"path": "/pricing", "title": "Pricing", "url": "https://shop.example/pricing"},
            "sessionId": 1790000000,
            "traits": TRAITS,
            "userAgent": "Mozilla/5.0",
        },
        "integrations": {"All": True},
        "messageId": f"rudder-{type_}",
        "originalTimestamp": "2026-09-21T10:00:00.123Z",
        "receivedAt": "2026-09-21T12:00:00.456+02:00",
        "request_ip": "203.0.113.9",
        "rudderId": "5f2ee0a0-2d4d-4a83-8f38-2d2c7cf8a7b9",
        "sentAt": "2026-09-21T10:00:00.200Z",
        "timestamp": "2026-09-21T12:00:00.379+02:00",
        "type": type_,
        "userId": "ada",
        "writeKey": "of RudderStack's own source",
        **told,
    }


def from_jitsu(type_, **told):
    """A call as Jitsu's webhook destination posts it: Segment's form, with what Jitsu's server knows."""
    return {
        "type": type_,
        "messageId": f"jitsu-{type_}",
        "timestamp": "2026-09-21T10:00:00.123Z",
        "sentAt": "2026-09-21T10:00:00.200Z",
        "receivedAt": "2026-09-21T10:00:00.456Z",
        "requestIp": "203.0.113.9",
        "anonymousId": "hj3x0v2q8k",
        "userId": "ada",
        "context": {
            "library": {"name": "@jitsu/js", "version": "2.0.0", "env": "browser"},
            "ip": "203.0.113.9",
            "userAgent": "Mozilla/5.0",
            "page": {"path": "/pricing", "url": "https://shop.example/pricing"},
            "clientIds": {"ga4": {"clientId": "1.2"}},
            "geo": {"country": {"code": "GB", "name": "United Kingdom"}, "city": {"name": "London"}},
            "traits": TRAITS,
        },
        "writeKey": "abc:***",
        **told,
    }


def from_segment(type_, **told):
    """A call as Segment's Webhooks destination posts it."""
    return {
        "anonymousId": "507f191e810c19729de860ea",
        "channel": "server",
        "context": {"ip": "203.0.113.9", "library": {"name": "analytics.js", "version": "4.9.0"}},
        "integrations": {},
        "messageId": f"segment-{type_}",
        "originalTimestamp": "2026-09-21T10:00:00.123Z",
        "projectId": "q1w2e3r4t5",
        "receivedAt": "2026-09-21T10:00:00.456Z",
        "sentAt": "2026-09-21T10:00:00.200Z",
        "timestamp": "2026-09-21T10:00:00.379Z",
        "type": type_,
        "userId": "ada",
        "version": 2,
        **told,
    }


COMPANY = {"name": "Acme", "website": "https://acme.example", "employees": 12}
SENDERS = {
    "RudderStack": [
        from_rudderstack("identify"),
        from_rudderstack("group", groupId="acme", traits=COMPANY),
        from_rudderstack("track", event="Report Opened", properties={"report": "Weekly"}),
    ],
    "Jitsu": [
        from_jitsu("identify", traits=TRAITS),
        from_jitsu("group", groupId="acme", traits=COMPANY),
        from_jitsu("track", event="Report Opened", properties={"report": "Weekly"}),
    ],
    "Segment": [
        from_segment("identify", traits=TRAITS),
        from_segment("group", groupId="acme", traits=COMPANY),
        from_segment("track", event="Report Opened", properties={"report": "Weekly"}),
    ],
}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("form", ["one by one", "an array"])
def test_whoever_sends_the_same_is_known_of_the_same(keyed, settings, sender, form):
    """Three senders, one contact: Ada of Acme, with what the application told and nothing of the servers'."""
    events = SENDERS[sender]
    for body in events if form == "one by one" else [events]:
        assert keyed.line.post(body).status == 200
    assert drain(keyed.line.engine, settings, keyed.line.source_id).applied == 3
    with keyed.line.engine.connect() as connection:
        [contact] = connection.execute(select(Contact.__table__)).all()
        [customer] = connection.execute(select(Customer.__table__)).all()
    assert (customer.external_id, customer.name, customer.website_url) == (
        "acme",
        "Acme",
        "https://acme.example",
    )
    assert customer.custom == {"employees": 12}
    assert (contact.user_id, contact.email) == ("ada", "ada@example.com")
    assert (contact.first_name, contact.last_name) == ("Ada", "Lovelace")
    assert contact.custom == {"plan": "pro", "report": "Weekly"}
    assert contact.first_seen // 1_000_000 == 1_789_984_800


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_jitsus_segment_destination_posts_to_the_path_of_the_type(keyed, settings):
    """Jitsu can send as a library does too, one event a call, with a write key of its own in the body."""
    for event in (*SENDERS["Jitsu"], from_jitsu("page", name="Pricing")):
        assert keyed.send(f"/v1/{event['type']}", event).json == {"success": True}
    done = drain(keyed.line.engine, settings, keyed.line.source_id)
    assert (done.applied, done.ignored) == (3, 1)
    assert b"abc:***" not in b"".join(keyed.line.bodies())
