"""Customers: the table of all, the table of a source, and one of them."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import viewer_may
from webapp.services import provenance
from webapp.services.tables import CUSTOMERS
from webapp.views import table_routes
from webapp.views.arguments import row_id

bp = Blueprint("customers", __name__)
table_routes.add(bp, CUSTOMERS)


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
