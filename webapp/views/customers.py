"""Customers: the table of all, the table of a source, and one of them."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import viewer_may
from webapp.services import provenance
from webapp.services.tables import CUSTOMERS
from webapp.views import table_page
from webapp.views.arguments import row_id
from webapp.views.source_page import source_or_404

bp = Blueprint("customers", __name__)


@bp.get("/customers")
@viewer_may
def index() -> ResponseReturnValue:
    """Show every customer of the account."""
    return table_page.show(CUSTOMERS)


@bp.get("/customers/news")
@viewer_may
def news() -> ResponseReturnValue:
    """Tell what came since the table was shown."""
    return table_page.news(CUSTOMERS)


@bp.get("/customers.csv")
@viewer_may
def csv() -> ResponseReturnValue:
    """Send the view as a file."""
    return table_page.csv(CUSTOMERS)


@bp.get("/customers.xlsx")
@viewer_may
def xlsx() -> ResponseReturnValue:
    """Send the view as a workbook."""
    return table_page.xlsx(CUSTOMERS)


@bp.get("/sources/<source_id>/customers")
@viewer_may
def of_source(source_id: str) -> ResponseReturnValue:
    """Show the customers that a source stands behind."""
    return table_page.show(CUSTOMERS, source_or_404(source_id))


@bp.get("/sources/<source_id>/customers/news")
@viewer_may
def news_of_source(source_id: str) -> ResponseReturnValue:
    """Tell what came of a source since the table was shown."""
    return table_page.news(CUSTOMERS, source_or_404(source_id))


@bp.get("/sources/<source_id>/customers.csv")
@viewer_may
def csv_of_source(source_id: str) -> ResponseReturnValue:
    """Send the view of a source's customers as a file."""
    return table_page.csv(CUSTOMERS, source_or_404(source_id))


@bp.get("/sources/<source_id>/customers.xlsx")
@viewer_may
def xlsx_of_source(source_id: str) -> ResponseReturnValue:
    """Send the view of a source's customers as a workbook."""
    return table_page.xlsx(CUSTOMERS, source_or_404(source_id))


@bp.get("/customers/<customer_id>")
@viewer_may
def show(customer_id: str) -> ResponseReturnValue:
    """Show one customer: what is known, who said so, its contacts, its sources, its events."""
    before = row_id("before")
    found = provenance.customer(db.session(), customer_id, before)
    if found is None:
        abort(404)
    here = url_for(".show", customer_id=customer_id)
    older = url_for(".show", customer_id=customer_id, before=found["older"]) if found["older"] else None
    return render_template(
        "customers/show.html", here=here, older_href=older, behind=before is not None, **found
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
