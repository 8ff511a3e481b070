"""The words of the API's description: what bodies and answers hold, and which parameters there are.

JSON Schema as OpenAPI 3.1 has it. A field's own meaning is said where its name does not say it.
"""

from __future__ import annotations

from typing import Any

from webapp.domain.attributes import TYPES
from webapp.models.billing import INTERVALS
from webapp.models.customer import LEAD_STATUSES
from webapp.views.api.asked import MOST_ON_A_PAGE

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
EMAIL: Schema = {"type": ["string", "null"], "format": "email"}
WHOLE: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}
CENTS: Schema = {"type": "integer", "description": "In hundredths of the currency, whichever it is."}
VALUE: Schema = {"type": ["string", "number", "boolean", "null"]}
INTERVAL: Schema = {"type": "string", "enum": list(INTERVALS)}


def ref(name: str) -> Schema:
    """A schema of this description."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Schema) -> Schema:
    """A list of something."""
    return {"type": "array", "items": items}


def thing(properties: Schema, *required: str) -> Schema:
    """An object with these fields."""
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def page(name: str, of: str, **more: Schema) -> Schema:
    """An answer of a list."""
    paging = {"has_more": TRUTH, "cursor": TEXT_OR_NULL, "per_page": WHOLE}
    return thing({name: many(ref(of)), **paging, **more}, name, "has_more", "cursor")


_TEXTS = dict.fromkeys(("name", "company", "state", "city", "zip", "website_url", "owner"), TEXT_OR_NULL)
_TIMES = dict.fromkeys(("lead_created_at", "free_trial_started_at"), TIME_OR_NULL)
_COUNTRY = {"country": TEXT_OR_NULL | {"description": "ISO 3166 alpha-2; a name is turned into it."}}
_PERSON = dict.fromkeys(
    ("external_id", "first_name", "last_name", "title", "phone", "linked_in", "twitter", "notes"),
    TEXT_OR_NULL,
)
_CUSTOM_IN = {
    "oneOf": [many(ref("CustomAttribute")), {"type": "object", "additionalProperties": True}],
    "description": "A list of typed attributes, or values by key. Null takes an attribute away.",
}
_CUSTOMER_IN = {
    **_TEXTS,
    **_TIMES,
    **_COUNTRY,
    "email": EMAIL,
    "status": {"type": "string", "enum": list(LEAD_STATUSES), "description": "Of a lead."},
    "attributes": thing({"tags": many(TEXT), "custom": _CUSTOM_IN}),
}
_CONTACT_IN = {**_PERSON, "email": EMAIL, "custom": _CUSTOM_IN, "data_source_uuid": TEXT}
_COUNT = WHOLE | {"minimum": 1, "maximum": 1000}
_PLAN_IN = {"name": TEXT, "interval_count": _COUNT, "interval_unit": INTERVAL}
_PAID = {
    "amount_in_cents": {"type": ["number", "string"], "description": "What is paid per interval."},
    "currency": TEXT | {"pattern": "^[A-Za-z]{3}$"},
    "plan_uuid": TEXT,
    "interval_count": _COUNT,
    "interval_unit": INTERVAL,
    "start_date": TIME,
    "end_date": TIME_OR_NULL,
    "past_due": TRUTH,
}
_NAMED = {"customer_uuid": TEXT, "data_source_uuid": TEXT, "external_id": TEXT}

SCHEMAS: dict[str, Schema] = {
    "Pong": thing({"data": TEXT}, "data"),
    "Account": thing(dict.fromkeys(("id", "name", "currency", "time_zone", "week_start_on"), TEXT)),
    "Nothing": thing({}),
    "Error": thing(
        {
            "code": WHOLE,
            "message": TEXT,
            "param": TEXT_OR_NULL,
            "errors": {"type": "object", "additionalProperties": TEXT},
        },
        "code",
        "message",
    ),
    "DataSource": thing(
        {
            "uuid": TEXT,
            "name": TEXT,
            "system": TEXT | {"description": "`Import API` or `Segment`."},
            "created_at": TIME,
            "status": TEXT | {"enum": ["idle", "importing"]},
        },
        "uuid",
        "name",
    ),
    "DataSources": thing({"data_sources": many(ref("DataSource"))}, "data_sources"),
    "NewDataSource": thing({"name": TEXT}, "name"),
    "CustomAttribute": thing(
        {
            "key": TEXT | {"pattern": "^[A-Za-z0-9_]{1,255}$"},
            "type": TEXT | {"enum": list(TYPES)},
            "value": VALUE,
        },
        "key",
        "value",
    ),
    "Attributes": thing(
        {
            "tags": many(TEXT),
            "custom": {"type": "object", "additionalProperties": VALUE},
            "stripe": {"type": "object"},
            "clearbit": {"type": "object"},
        }
    ),
    "Tags": thing({"tags": many(TEXT)}, "tags"),
    "TagsByEmail": thing({"email": TEXT, "tags": many(TEXT)}, "email", "tags"),
    "Custom": thing({"custom": {"type": "object", "additionalProperties": VALUE}}, "custom"),
    "CustomToAdd": thing({"custom": _CUSTOM_IN}, "custom"),
    "CustomToUpdate": thing({"custom": _CUSTOM_IN}, "custom"),
    "CustomKeys": thing({"custom": many(TEXT)}, "custom"),
    "CustomByEmail": thing({"email": TEXT, "custom": _CUSTOM_IN}, "email", "custom"),
    "Customer": thing(
        {
            "id": WHOLE,
            "uuid": TEXT,
            "external_id": TEXT,
            "external_ids": many(TEXT),
            "data_source_uuid": TEXT | {"description": "Of the primary data source customer."},
            "data_source_uuids": many(TEXT),
            **_TEXTS,
            **_COUNTRY,
            "email": TEXT,
            "status": TEXT,
            "customer-since": TIME_OR_NULL,
            **_TIMES,
            "address": thing(dict.fromkeys(("country", "state", "city", "address_zip"), TEXT_OR_NULL)),
            "attributes": ref("Attributes"),
            "mrr": CENTS,
            "arr": CENTS,
            "currency": TEXT,
            "currency-sign": TEXT,
            "billing-system-type": TEXT,
            "billing-system-url": TEXT_OR_NULL,
            "chartmogul-url": TEXT | {"description": "The customer's page here."},
        },
        "id",
        "uuid",
    ),
    "Customers": page("entries", "Customer"),
    "CustomersFound": thing({"entries": many(ref("Customer"))}, "entries"),
    "NewCustomer": thing(
        {
            "data_source_uuid": TEXT,
            "external_id": TEXT,
            **_CUSTOMER_IN,
            "primary_contact": thing({**_PERSON, "email": EMAIL}),
        },
        "data_source_uuid",
        "external_id",
    ),
    "CustomerChange": thing(_CUSTOMER_IN),
    "Merge": thing({"from": thing(_NAMED), "into": thing(_NAMED)}, "from", "into"),
    "Unmerge": thing(_NAMED, *_NAMED),
    "Contact": thing(
        {
            "uuid": TEXT,
            "customer_uuid": TEXT,
            "customer_external_id": TEXT,
            "data_source_uuid": TEXT,
            **_PERSON,
            "email": TEXT_OR_NULL,
            "position": {"type": "null"},
            "last_seen": TIME_OR_NULL,
            "custom": {"type": "object", "additionalProperties": VALUE},
        },
        "uuid",
        "customer_uuid",
    ),
    "Contacts": page("entries", "Contact"),
    "NewContact": thing({"customer_uuid": TEXT, **_CONTACT_IN}, "customer_uuid", "data_source_uuid"),
    "NewContactOfCustomer": thing(_CONTACT_IN, "data_source_uuid"),
    "ContactChange": thing({**_PERSON, "email": EMAIL, "custom": _CUSTOM_IN}),
    "Plan": thing({"uuid": TEXT, "data_source_uuid": TEXT, "external_id": TEXT, **_PLAN_IN}, "uuid", "name"),
    "Plans": page("plans", "Plan"),
    "NewPlan": thing(
        {"data_source_uuid": TEXT, "external_id": TEXT, **_PLAN_IN}, "data_source_uuid", *_PLAN_IN
    ),
    "PlanChange": thing(_PLAN_IN),
    "Subscription": thing(
        {
            "id": WHOLE,
            "uuid": TEXT,
            "external_id": TEXT,
            "subscription_set_external_id": TEXT | {"description": "The same for connected subscriptions."},
            "customer_uuid": TEXT,
            "data_source_uuid": TEXT,
            "plan": TEXT_OR_NULL | {"description": "Its name."},
            "plan_uuid": TEXT_OR_NULL,
            "quantity": WHOLE,
            "amount_in_cents": CENTS,
            "mrr": CENTS,
            "arr": CENTS,
            "status": TEXT | {"enum": ["active", "past_due", "cancelled", "future"]},
            "billing-cycle": INTERVAL,
            "billing-cycle-count": WHOLE,
            "start-date": TIME,
            "end-date": TIME_OR_NULL,
            "cancellation_dates": many(TIME),
            "past_due": TRUTH,
            "currency": TEXT,
            "currency-sign": TEXT,
        },
        "id",
        "uuid",
    ),
    "Subscriptions": page("entries", "Subscription"),
    "ImportedSubscriptions": page("subscriptions", "Subscription", customer_uuid=TEXT),
    "NewSubscription": thing(
        {"data_source_uuid": TEXT, "external_id": TEXT, **_PAID},
        *("data_source_uuid", "external_id", "amount_in_cents", "currency", "start_date"),
    ),
    "SubscriptionChange": thing({**_PAID, "cancelled_at": TIME, "cancellation_dates": many(TIME)}),
    "SubscriptionNames": thing(
        {
            "subscriptions": many(
                thing(dict.fromkeys(("uuid", "data_source_uuid", "external_id"), TEXT))
                | {"description": "By uuid, or by both others."}
            )
        },
        "subscriptions",
    ),
    "Description": thing({"openapi": TEXT}, "openapi"),
}

PARAMETERS: dict[str, Schema] = {
    "per_page": {"schema": WHOLE | {"minimum": 1, "default": MOST_ON_A_PAGE}, "description": "200 at most."},
    "cursor": {"schema": TEXT, "description": "As the page before gave it out."},
    "data_source_uuid": {"schema": TEXT, "description": "Of a source that tells of it."},
    "external_id": {"schema": TEXT, "description": "Its name at a source."},
    "customer_uuid": {"schema": TEXT, "description": "Of its customer."},
    "customer_external_id": {"schema": TEXT, "description": "What a source calls its customer."},
    "email": {"schema": TEXT, "description": "The whole address, in any case."},
    "status": {"schema": TEXT, "description": "`New_Lead` or `New Lead`, and so on; `Active`, `Past_Due`, …"},
    "system": {"schema": TEXT, "description": "`Segment` or `Import API`: the kind of its source."},
    "name": {"schema": TEXT, "description": "Exactly this."},
}
