"""Customers: the table of all, the table of a source, and one of them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import now
from webapp.models.customer import LEAD_STATUSES
from webapp.security import current_user, viewer_may
from webapp.services import accounts, by_hand, merge_history, notes, provenance, records, subscription_list
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
        elsewhere = records.moved(db.session().connection(), customer_id)
        return redirect(url_for(".show", customer_id=elsewhere), 303) if elsewhere else abort(404)
    return _page(found, customer_id, before)


@bp.post("/customers/<customer_id>/handling")
def handle(customer_id: str) -> ResponseReturnValue:
    """Set the status, the owner and the tags."""
    form = request.form
    wanted = by_hand.Handling(form.get("status"), form.get("owner", ""), form.get("tags", ""))
    try:
        changed = by_hand.handle(db.session(), customer_id, wanted, current_user.id)
    except records.Gone:
        abort(404)
    except ValueError as problem:
        found = provenance.customer(db.session(), customer_id)
        return (_page(found, customer_id, None, wanted, str(problem)), 422) if found else abort(404)
    return saved(customer_id, "Saved." if changed else "Nothing was changed.")


def saved(customer_id: str, said: str, kind: str = "message") -> ResponseReturnValue:
    """Back to a customer's page, which says what was done."""
    flash(said, kind)
    return redirect(url_for("customers.show", customer_id=customer_id), 303)


def _page(
    found: dict[str, Any],
    customer_id: str,
    before: int | None,
    wanted: by_hand.Handling | None = None,
    problem: str = "",
) -> str:
    connection, row = db.session().connection(), found["customer"]
    older = url_for(".show", customer_id=customer_id, before=found["older"]) if found["older"] else None
    return render_template(
        "customers/show.html",
        here=url_for(".show", customer_id=customer_id),
        older_href=older,
        behind=before is not None,
        handling=wanted or by_hand.Handling(row.lead_status, row.owner or "", row.tags),
        problem=problem,
        statuses=LEAD_STATUSES if row.lead_status in LEAD_STATUSES else (),
        users=accounts.users(db.session()),
        notes=notes.of(connection, found["record"], current_user.id),
        subscriptions=subscription_list.of(connection, row.id),
        merged=merge_history.of(connection, found["record"], found["people"]),
        moment=now(),
        **found,
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
