"""Billing sources that programs fill over the API: making one, how it is called, and its own tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from webapp.domain.text import clean
from webapp.extensions import db
from webapp.forms.sources import BillingSourceForm
from webapp.models import Source
from webapp.security import current_user, public_base, viewer_may
from webapp.services import listing, sources
from webapp.views.source_page import frame, source_or_404

PAGE_SIZE = 50

bp = Blueprint("billing_sources", __name__, url_prefix="/sources")


@bp.get("/new/billing")
def configure() -> ResponseReturnValue:
    """Ask for the name of a source that a program will fill."""
    return render_template(
        "billing/configure.html", form=BillingSourceForm(formdata=None), way=request.args.get("way", "")
    )


@bp.post("/new/billing")
def create() -> ResponseReturnValue:
    """Make the source, and go on to how it is called."""
    form = BillingSourceForm()
    if form.validate_on_submit():
        try:
            made = sources.add_billing(db.session(), form.name.data or "", current_user.id)
            files = request.form.get("way") == "files"
            page = "billing_files.index" if files else ".connect"
            return redirect(url_for(page, source_id=made.public_id), 303)
        except sources.Refused as refused:
            form.refuse(refused)
    return render_template("billing/configure.html", form=form, way=request.form.get("way", "")), 422


@bp.get("/<source_id>/calls")
def connect(source_id: str) -> ResponseReturnValue:
    """How a program fills this source."""
    source = _billing_source(source_id)
    return render_template("billing/connect.html", source=source, base=public_base())


@bp.get("/<source_id>/plans")
@viewer_may
def plans(source_id: str) -> ResponseReturnValue:
    """The plans of a source."""
    return _page(_billing_source(source_id), "plans", listing.plans_of_source)


@bp.get("/<source_id>/subscriptions")
@viewer_may
def subscriptions(source_id: str) -> ResponseReturnValue:
    """The subscriptions of a source, with whose they are."""
    return _page(_billing_source(source_id), "subscriptions", listing.subscriptions_of_source)


@bp.post("/<source_id>/name")
def rename(source_id: str) -> ResponseReturnValue:
    """Give the source another name."""
    source, form = _billing_source(source_id), BillingSourceForm()
    if not form.validate_on_submit():
        return settings(source, form), 422
    try:
        renamed = sources.rename(db.session(), source, form.name.data or "", current_user.id)
    except sources.Refused as refused:
        form.refuse(refused)
        return settings(source, form), 422
    flash("Saved." if renamed else "Nothing was changed.")
    return redirect(url_for("sources.settings", source_id=source.public_id), 303)


def settings(source: Source, form: BillingSourceForm | None = None) -> str:
    """The settings of a billing source: its name, how it is called, its deletion."""
    form = form or BillingSourceForm(formdata=None, name=source.name)
    return render_template(
        "billing/settings.html", form=form, base=public_base(), **frame(source, "settings")
    )


def _page(
    source: Source, tab: str, find: Callable[[Connection, int, str, int], list[Any]]
) -> ResponseReturnValue:
    after = clean(request.args.get("after", ""))
    rows = find(db.session().connection(), source.id, after, PAGE_SIZE)
    shown = rows[:PAGE_SIZE]
    last = shown[-1].external_id if len(rows) > PAGE_SIZE else None
    return render_template(f"billing/{tab}.html", rows=shown, after=after, last=last, **frame(source, tab))


def _billing_source(source_id: str) -> Source:
    source = source_or_404(source_id)
    if source.kind != "billing":
        abort(404)
    return source


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
