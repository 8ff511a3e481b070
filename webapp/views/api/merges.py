"""Merging two customers, and taking one out of a merge."""

from __future__ import annotations

from typing import Any

from flask import Response

from webapp.domain.text import written
from webapp.services import audit, merges, records
from webapp.services.merges import By, CannotMerge
from webapp.views.api import finding, gate
from webapp.views.api.answers import ApiError, answer, missing
from webapp.views.api.asked import Reader, body
from webapp.views.api.routing import operation

GROUP = "Customers"


@operation(
    "POST", "/customers/merges", "Merge two customers", group=GROUP, body="Merge", answers={202: "Nothing"}
)
def merge_customers() -> Response:
    """Make `from` one with `into`, which leads and keeps its uuid."""
    asked = Reader(body())
    other, into = asked.inner("from"), asked.inner("into")
    for reader, name in ((other, "from"), (into, "into")):
        if not reader.told:
            asked.complain(name, f"{name} must say which customer: customer_uuid, or both others.")
    asked.check()
    with gate.changing() as connection:

        def named() -> list[Any]:
            return [
                finding.named_customer(connection, into.told, "into"),
                finding.named_customer(connection, other.told, "from"),
            ]

        rows, behind = finding.held(connection, named)
        pair = [behind[row.id][0].origin_uuid for row in rows]
        try:
            merges.merge(connection, [(pair[0], pair[1])], By())
        except CannotMerge as error:
            raise ApiError(422, str(error)) from None
        names = {"record": f"cus_{rows[0].uuid}", "other": f"cus_{rows[1].uuid}"}
        audit.record_on(connection, "customer.merged", None, [row.source_id for row in rows], **names)
    return answer({}, 202)


@operation(
    "POST",
    "/customers/unmerges",
    "Take a data source customer out of a merged customer",
    group=GROUP,
    body="Unmerge",
    answers={202: "Nothing"},
)
def unmerge_customers() -> Response:
    """Let what one source tells be a customer of its own again."""
    asked = Reader(body())
    uuid, external_id = asked.required("customer_uuid"), asked.required("external_id")
    source_uuid = asked.required("data_source_uuid")
    asked.check()
    with gate.changing() as connection:
        row, behind = finding.held_customer(connection, uuid)
        source = finding.source(connection, source_uuid)
        if source is None:
            raise missing("Data source", "data_source_uuid")
        origins = [
            row.origin_uuid
            for row in behind
            if (row.source_id, row.external_id) == (source.id, written(external_id))
        ]
        if not origins:
            raise missing("Customer", "external_id")
        try:
            merges.split(connection, origins, By())
        except CannotMerge as error:
            raise ApiError(422, str(error)) from None
        both = (*origins, *(each.origin_uuid for each in behind))
        other, source_id = records.parted(connection, f"cus_{row.uuid}", both) or (None, None)
        names = {"record": f"cus_{row.uuid}", "other": other}
        audit.record_on(connection, "customer.unmerged", None, (row.source_id, source_id), **names)
    return answer({}, 202)
