"""Data sources: list them, make one of billing, delete it."""

from __future__ import annotations

from flask import Response

from webapp.extensions import db
from webapp.services import listing, long_work, sources
from webapp.services.billing.changing import BILLING
from webapp.services.sources import Refused
from webapp.views.api import finding, gate, shapes
from webapp.views.api.answers import ApiError, answer, invalid, missing, nothing
from webapp.views.api.asked import Reader, argument, body
from webapp.views.api.routing import operation
from webapp.views.source_page import start

GROUP = "Data sources"


@operation(
    "GET",
    "/data_sources",
    "List data sources",
    group=GROUP,
    query=("name", "system"),
    answers={200: "DataSources"},
)
def list_data_sources() -> Response:
    """All sources that may be seen, those of Segment too, by id."""
    connection, name = db.session().connection(), argument("name")
    chosen, busy = finding.wanted_sources(connection), listing.busy(db.session().connection())
    rows = [
        row
        for row in listing.sources(connection).values()
        if (chosen is None or row.id in chosen) and name in (None, row.name)
    ]
    shown = [shapes.data_source(row, row.id in busy) for row in sorted(rows, key=lambda row: row.id)]
    return answer({"data_sources": shown})


@operation(
    "POST",
    "/data_sources",
    "Make a billing source",
    group=GROUP,
    body="NewDataSource",
    answers={201: "DataSource"},
)
def create_data_source() -> Response:
    """A source of kind billing, whose name nobody else has."""
    name = Reader(body()).text("name")
    if name is None:
        raise invalid(name="A name is required for each data source.")
    try:
        with gate.acting():
            made = sources.add_billing(db.session(), name)
    except Refused as refused:
        raise invalid(name=str(refused)) from None
    return answer(shapes.data_source(made), 201)


@operation("GET", "/data_sources/{uuid}", "Get a data source", group=GROUP, answers={200: "DataSource"})
def get_data_source(uuid: str) -> Response:
    """One source."""
    row = finding.source(db.session().connection(), uuid)
    if row is None:
        raise missing("Data source")
    return answer(shapes.data_source(row, row.id in listing.busy(db.session().connection())))


@operation("DELETE", "/data_sources/{uuid}", "Delete a billing source", group=GROUP, answers={204: None})
def delete_data_source(uuid: str) -> Response:
    """Hide it at once, and have it erased with all that it told."""
    source = sources.find(db.session(), uuid)
    if source is None:
        raise missing("Data source")
    if source.kind != BILLING:
        raise ApiError(422, "A Segment source is deleted on its own page, by somebody who types its name.")
    with gate.acting():
        sync = long_work.delete(db.session(), source)
    start(sync)
    return nothing()
