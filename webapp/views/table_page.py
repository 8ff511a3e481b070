"""The pages of the data tables: a function each for the table, its news and its CSV, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import structlog
from flask import Response, abort, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from webapp.extensions import db
from webapp.models import Source, now
from webapp.security import current_user
from webapp.services import attribute_indexes, export, saved_views, tables
from webapp.services.tables import CUSTOMERS, Cursor, Scope, Table, View
from webapp.views import addresses, bulk, lead_tabs
from webapp.views.arguments import instant
from webapp.views.filters import iso
from webapp.views.source_page import frame, is_part

log = structlog.get_logger(__name__)

PART = "tables/_answer.html"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NEW_FILTER = ("field", "operator", "value")


def show(table: Table, source: Source | None = None) -> ResponseReturnValue:
    """The table with its search, filters, columns and pages; for HTMX only what changes of it."""
    scope = _scope(db.session().connection(), table, source)
    if not is_part() and _is_untidy(scope.view):
        return redirect(address(table, source, scope.view.args), 303)
    context = _context(table, source, scope)
    if is_part():
        return _part(context, table, source, scope.view)
    around = frame(source, table.noun) if source else {}
    return render_template(f"{table.noun}/{'of_source' if source else 'index'}.html", **context, **around)


def news(table: Table, source: Source | None = None) -> ResponseReturnValue:
    """What came since the page was made; nothing to swap while that is nothing."""
    scope = _scope(db.session().connection(), table, source)
    since = instant("since")
    found = tables.news(scope, since)
    if not found:
        return "", 204
    return render_template(
        "tables/_news.html",
        table=table,
        news=found,
        fill=bool(request.args.get("fill")),
        href=address(table, source, scope.view.args),
        news_href=_news_address(table, source, scope.view, since),
    )


def csv(table: Table, source: Source | None = None) -> ResponseReturnValue:
    """Exactly the view as a CSV file, sent while it is made."""
    return _file(table, source, "csv", "text/csv", export.view_csv)


def xlsx(table: Table, source: Source | None = None) -> ResponseReturnValue:
    """Exactly the view as a workbook, sent while it is made."""
    return _file(table, source, "xlsx", WORKBOOK, export.view_xlsx)


def _file(
    table: Table, source: Source | None, suffix: str, type_: str, make: Callable[[Scope], Iterator[bytes]]
) -> ResponseReturnValue:
    view = _scope(db.session().connection(), table, source).view
    if view.problems:
        abort(422, " ".join(view.problems))
    stream = _pieces(current_app.extensions["sqlalchemy"].engine, view, source.id if source else None, make)
    name = f"{table.noun}-{iso(now())[:10]}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stream, mimetype=type_, headers=headers)


def address(table: Table, source: Source | None, args: dict[str, Any], what: str = "") -> str:
    """Where a table is, or with `what` its `news` or its `csv`."""
    if source is None:
        return url_for(f"{table.noun}.{what or 'index'}", **args)
    endpoint = f"{table.noun}.{what + '_' if what else ''}of_source"
    return url_for(endpoint, source_id=source.public_id, **args)


def _scope(connection: Connection, table: Table, source: Source | None) -> Scope:
    source_id = source.id if source else None
    columns = tables.columns_of(connection, table, source_id)
    view = tables.read_view(table, columns, request.args.to_dict(flat=False))
    return tables.scope_of(connection, view, source_id)


def _is_untidy(view: View) -> bool:
    """Whether the address came from the form, with what it holds in its own way, and means no harm."""
    asked = request.args.to_dict(flat=False)
    wanted = view.args | ({"page": asked["page"]} if "page" in asked else {})
    return not view.problems and asked != wanted


def _context(table: Table, source: Source | None, scope: Scope) -> dict[str, Any]:
    view = scope.view
    secret = current_app.config["SECRET_KEY"]
    asked = request.args.get("page", "")
    cursor = Cursor.load(asked, secret) if asked else None
    page = tables.page(scope, cursor)
    _ask_for_indexes(table, scope)
    here = address(table, source, {})

    def url(of: View, cursor: Cursor | None = None) -> str:
        return addresses.with_args(here, of.args | ({"page": [cursor.dump(secret)]} if cursor else {}))

    problems = list(view.problems)
    if asked and cursor is None:
        problems.append("The address of that page is not valid any more, so this is the first page.")
    return {
        "table": table,
        "view": view,
        "page": page,
        "problems": problems,
        "count": tables.counted(scope, page),
        "behind": cursor is not None,
        "url": url,
        "record_href": addresses.of_records(f"{table.one}s.show", f"{table.one}_id"),
        "customer_href": addresses.of_records("customers.show", "customer_id"),
        "source_href": addresses.of_records("sources.show", "source_id"),
        "here": here,
        "csv_href": address(table, source, view.args, "csv"),
        "xlsx_href": address(table, source, view.args, "xlsx"),
        "news_href": _news_address(
            table, source, view, page.moment, fill=not page.records and cursor is None
        ),
        "saved_views": saved_views.of(db.session(), table.noun, current_user.id),
        "saved_url": lambda args: addresses.with_args(here, args),
        "text_of": tables.text_of,
        "operators": tables.OPERATORS,
        "sizes": tables.SIZES,
        "of_one_source": source,
        "bulk_actions": bulk.actions(table),
        "bulk_href": address(table, source, {}, "bulk"),
        "this_page": url(view, cursor),
        "is_customers": table is CUSTOMERS,
        "lead_tabs": lead_tabs.of(scope.connection, view, url) if table.statuses else (),
    }


def _ask_for_indexes(table: Table, scope: Scope) -> None:
    view, reading = scope.view, scope.connection
    try:
        attribute_indexes.ask(db.engine, table.one, view.custom, view.shown, reading)
    except OperationalError:
        log.info("table.index_not_asked_for", reason="the database was busy; the next page asks again")


def _news_address(table: Table, source: Source | None, view: View, since: int, fill: bool = False) -> str:
    args = view.args | {"since": [str(since)]} | ({"fill": ["1"]} if fill else {})
    return address(table, source, args, "news")


def _part(context: dict[str, Any], table: Table, source: Source | None, view: View) -> Response:
    response = make_response(render_template(PART, **context))
    args = view.args | ({"page": request.args["page"]} if request.args.get("page") else {})
    # Typing in the search does not fill the browser's history letter by letter.
    header = "HX-Replace-Url" if request.headers.get("HX-Trigger-Name") == "q" else "HX-Push-Url"
    response.headers[header] = address(table, source, args)
    return response


def _pieces(
    engine: Any, view: View, source_id: int | None, make: Callable[[Scope], Iterator[bytes]]
) -> Iterator[bytes]:
    with engine.connect() as connection:
        yield from make(tables.scope_of(connection, view, source_id))
