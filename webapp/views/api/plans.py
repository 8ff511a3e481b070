"""Plans: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import Connection

from webapp.extensions import db
from webapp.models.base import new_uuid
from webapp.models.billing import INTERVALS
from webapp.services import audit, listing
from webapp.services.billing import changing, plans
from webapp.services.billing.subscriptions import PlanTold, put_plans
from webapp.services.listing import Wanted
from webapp.views.api import finding, gate, shapes
from webapp.views.api.answers import ApiError, answer, invalid, nothing
from webapp.views.api.asked import LONGEST_ID, Reader, argument, body, paging
from webapp.views.api.routing import operation

GROUP = "Plans"
LONGEST_INTERVAL = 1000


@operation(
    "GET",
    "/plans",
    "List plans",
    group=GROUP,
    query=("data_source_uuid", "external_id", "system", "per_page", "cursor"),
    answers={200: "Plans"},
)
def list_plans() -> Response:
    """Plans by age here."""
    connection, asked = db.session().connection(), paging()
    wanted = Wanted(source_ids=finding.wanted_sources(connection), external_id=argument("external_id"))
    rows = listing.plans(connection, wanted, asked.after, asked.size)
    return answer(asked.page("plans", rows, shapes.plans(connection, asked.shown(rows))))


@operation("POST", "/plans", "Make a plan", group=GROUP, body="NewPlan", answers={201: "Plan"})
def create_plan() -> Response:
    """A plan of a billing source; without an external id it gets one."""
    asked = Reader(body())
    source_uuid, name = asked.required("data_source_uuid"), asked.required("name")
    external_id = asked.text("external_id", LONGEST_ID) or new_uuid()
    unit, count = interval(asked)
    if unit is None:
        asked.complain("interval_unit", "interval_unit is required.")
    if count is None:
        asked.complain("interval_count", "interval_count is required.")
    asked.check()
    with gate.changing() as connection:
        source = finding.billing_source(connection, source_uuid)
        wanted = Wanted(source_ids=[source.id], external_id=external_id)
        if listing.plans(connection, wanted, 0, 1):
            raise invalid(external_id="The external ID for this plan already exists in our system.")
        put_plans(connection, source.id, [PlanTold(external_id, name, unit or "", count or 1)])
        return answer(_shown(connection, listing.plans(connection, wanted, 0, 1)[0].uuid), 201)


@operation("GET", "/plans/{uuid}", "Get a plan", group=GROUP, answers={200: "Plan"})
def get_plan(uuid: str) -> Response:
    """One plan."""
    return answer(_shown(db.session().connection(), uuid))


@operation("PATCH", "/plans/{uuid}", "Change a plan", group=GROUP, body="PlanChange", answers={200: "Plan"})
def update_plan(uuid: str) -> Response:
    """Another name or interval; subscriptions keep the interval that they were told with."""
    asked = Reader(body())
    name, (unit, count) = asked.text("name", LONGEST_ID), interval(asked)
    asked.check()
    with gate.changing() as connection:
        row = _held(connection, uuid)
        told = PlanTold(
            row.external_id, name or row.name, unit or row.interval_unit, count or row.interval_count
        )
        put_plans(connection, row.source_id, [told])
        return answer(_shown(connection, uuid))


@operation("DELETE", "/plans/{uuid}", "Delete a plan", group=GROUP, answers={204: None})
def delete_plan(uuid: str) -> Response:
    """Delete a plan that no subscription is on."""
    with gate.changing() as connection:
        row = _held(connection, uuid)
        try:
            plans.remove(connection, row.id)
        except plans.InUse as error:
            raise ApiError(422, str(error)) from None
        source = listing.sources(connection)[row.source_id]
        audit.record(connection, "plan.deleted", None, source.uuid, name=source.name, plan=row.name)
    return nothing()


def interval(asked: Reader) -> tuple[str | None, int | None]:
    """`interval_unit` and `interval_count` of a body; None where it does not tell them."""
    unit, count = asked.text("interval_unit"), asked.whole("interval_count", 1, LONGEST_INTERVAL)
    if unit is not None and unit not in INTERVALS:
        asked.complain("interval_unit", f"interval_unit is one of {', '.join(INTERVALS)}.")
    return unit, count


def _held(connection: Connection, uuid: str) -> Any:
    row = finding.plan(connection, uuid)
    source = changing.hold(connection, [row.source_id]).get(row.source_id)
    if source is not None:
        finding.check_open(source)
    return finding.plan(connection, uuid)


def _shown(connection: Connection, uuid: str) -> dict[str, Any]:
    return shapes.plans(connection, [finding.plan(connection, uuid)])[0]
