"""What people do to the subscriptions of a customer: adjust the MRR of one, connect several."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user
from webapp.services import records, subscription_list
from webapp.services.billing.subscriptions import CannotConnect
from webapp.services.records import Gone
from webapp.services.subscription_list import Refused
from webapp.views.customers import saved

bp = Blueprint("subscriptions", __name__, url_prefix="/customers/<customer_id>")


@bp.get("/subscriptions/<subscription_id>/adjustment")
def adjustment(customer_id: str, subscription_id: str) -> ResponseReturnValue:
    """Show what the MRR is and how it comes about, and a form to say what it is."""
    return _page(customer_id, subscription_id)


@bp.post("/subscriptions/<subscription_id>/adjustment")
def adjust(customer_id: str, subscription_id: str) -> ResponseReturnValue:
    """Say what the MRR is."""
    amount, reason = request.form.get("amount", ""), request.form.get("reason", "")
    try:
        subscription_list.adjust(db.session(), customer_id, subscription_id, amount, reason, current_user.id)
    except Gone:
        abort(404)
    except Refused as problem:
        return _page(customer_id, subscription_id, amount, reason, str(problem)), 422
    return saved(customer_id, "The MRR is adjusted.")


@bp.post("/subscriptions/<subscription_id>/adjustment/removal")
def drop(customer_id: str, subscription_id: str) -> ResponseReturnValue:
    """Let the MRR be computed again."""
    try:
        subscription_list.drop_adjustment(db.session(), customer_id, subscription_id, current_user.id)
    except (Gone, Refused) as problem:
        return saved(customer_id, str(problem), "error")
    return saved(customer_id, "The adjustment is removed: the MRR is computed again.")


@bp.post("/connections")
def connect(customer_id: str) -> ResponseReturnValue:
    """Connect the subscriptions that are ticked, or let them stand alone again."""
    chosen, apart = request.form.getlist("subscription"), request.form.get("verb") == "disconnect"
    verb = subscription_list.disconnect if apart else subscription_list.connect
    try:
        verb(db.session(), customer_id, chosen, current_user.id)
    except (Gone, Refused, CannotConnect) as problem:
        return saved(customer_id, str(problem), "error")
    return saved(customer_id, "Disconnected." if apart else "Connected: they count as one that goes on.")


def _page(
    customer_id: str,
    subscription_id: str,
    amount: str | None = None,
    reason: str | None = None,
    problem: str = "",
) -> str:
    connection = db.session().connection()
    record = records.find(connection, customer_id)
    if record is None or record.entity != "customer":
        abort(404)
    shown = subscription_list.one(connection, record.row.id, subscription_id) or abort(404)
    return render_template(
        "customers/adjustment.html",
        customer=record.row,
        subscription=shown,
        amount=(shown.row.adjusted or "") if amount is None else amount,
        reason=(shown.row.reason or "") if reason is None else reason,
        problem=problem,
        back=url_for("customers.show", customer_id=customer_id),
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
