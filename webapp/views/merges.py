"""Merging a customer by hand: find the other one, look at both, see the result, confirm; taking it back."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user
from webapp.services import duplicates, merge_history, merge_preview, records
from webapp.services.merges import CannotMerge
from webapp.services.records import Gone, Record
from webapp.views.customers import saved

bp = Blueprint("merges", __name__, url_prefix="/customers/<customer_id>")
LONGEST_SEARCH = 200


@bp.get("/merge")
def find(customer_id: str) -> ResponseReturnValue:
    """Search the other customer, or choose among those that may be the same."""
    record, connection = _customer(customer_id), db.session().connection()
    text = " ".join(request.args.get("q", "").replace("\0", "").split())[:LONGEST_SEARCH]
    return render_template(
        "customers/merge.html",
        customer=record.row,
        customer_id=customer_id,
        text=text,
        found=duplicates.searched(connection, text, record) if text else None,
        suggestions=duplicates.suggested(connection, record),
        here=url_for(".find", customer_id=customer_id),
    )


@bp.get("/merge/<other_id>")
def compare(customer_id: str, other_id: str) -> ResponseReturnValue:
    """Show both side by side with what a merge would make of them."""
    one, other = _customer(customer_id), _customer(other_id)
    if one.row.id == other.row.id:
        return saved(one.public_id, "These are one customer already. Nothing was changed.", "error")
    connection = db.session().connection()
    asked = request.args.get("primary")
    usual = merge_preview.primary_of(one, other)
    primary = next((each for each in (one, other) if each.public_id == asked), usual)
    return render_template(
        "customers/compare.html",
        sides=(one, other),
        primary=primary,
        usual=usual,
        lines=merge_preview.lines(connection, one, other, primary),
    )


@bp.post("/merges")
def merge(customer_id: str) -> ResponseReturnValue:
    """Make the two one. The customer of the address leads."""
    try:
        merged = merge_history.merge(
            db.session(), customer_id, request.form.get("other", ""), current_user.id
        )
    except (CannotMerge, Gone) as problem:
        return saved(customer_id, str(problem), "error")
    return saved(merged, "Merged. Undo it under “Data source customers” whenever you like.")


@bp.post("/told-apart")
def tell_apart(customer_id: str) -> ResponseReturnValue:
    """Remember that the two are not duplicates."""
    other = request.form.get("other", "")
    try:
        merge_history.say_not_the_same(db.session(), customer_id, other, current_user.id)
    except Gone as problem:
        return saved(customer_id, str(problem), "error")
    return saved(customer_id, "Noted: these two are not the same, and no automation will merge them.")


@bp.post("/unmerges")
def undo(customer_id: str) -> ResponseReturnValue:
    """Take one merge back."""
    try:
        decision = int(request.form.get("decision", ""))
        stood = merge_history.undo(db.session(), customer_id, min(decision, 2**62), current_user.id)
    except ValueError:
        abort(404)
    except Gone as problem:
        return saved(customer_id, str(problem), "error")
    done = "Undone: both are customers of their own again, and no automation merges them."
    return saved(customer_id, done if stood else "That merge was undone already. Nothing was changed.")


@bp.post("/separations")
def separate(customer_id: str) -> ResponseReturnValue:
    """Let a data source customer be a customer of its own."""
    try:
        merge_history.separate(db.session(), customer_id, request.form.get("origin", ""), current_user.id)
    except (CannotMerge, Gone) as problem:
        return saved(customer_id, str(problem), "error")
    return saved(customer_id, "Separated: it is a customer of its own now, and no automation merges it back.")


def _customer(public_id: str) -> Record:
    connection = db.session().connection()
    record = records.find(connection, public_id)
    if record is None and (elsewhere := records.moved(connection, public_id)):
        record = records.find(connection, elsewhere)
    if record is None or record.entity != "customer":
        abort(404)
    return record


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
