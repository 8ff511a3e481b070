"""Add Source: choose a type, configure, and the guide that waits for what Segment sends."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.sources import POLICY_CHOICES, NewSourceForm
from webapp.security import current_user, viewer_may
from webapp.services import arrivals, source_summary, sources, tokens
from webapp.views.source_page import settings, shown_url, source_or_404, webhook_url

bp = Blueprint("new_sources", __name__, url_prefix="/sources")


@bp.get("/new")
def choose() -> ResponseReturnValue:
    """Choose what kind of data the source brings."""
    kind = "billing" if request.args.get("type") == "billing" else "data"
    return render_template("sources/new.html", kind=kind)


@bp.get("/new/guide")
@viewer_may
def guide() -> ResponseReturnValue:
    """How Segment is connected, for somebody who has no source yet."""
    return render_template("sources/guide.html", source=None, url=None)


@bp.get("/new/segment")
def configure() -> ResponseReturnValue:
    """The form, with a webhook URL that works once it is saved."""
    return _form(NewSourceForm(formdata=None), tokens.make_token())


@bp.post("/new/segment")
def create() -> ResponseReturnValue:
    """Save the source and go on to the steps in Segment."""
    form = NewSourceForm()
    token = tokens.unseal(settings().secret_key, (form.sealed.data or "").encode())
    step = request.form.get("step")
    if step in ("ask", "keep") and token:
        return _form(form, token, asking=step == "ask")
    if step == "regenerate" or token is None:
        return _form(form, tokens.make_token())
    if not form.validate_on_submit():
        return _form(form, token), 422
    try:
        made = sources.add(db.session(), settings(), form.name.data, form.policy.data, token, current_user.id)
    except sources.Refused as refused:
        form.refuse(refused)
        return _form(form, tokens.make_token() if refused.field == "sealed" else token), 422
    return redirect(url_for(".connect", source_id=made.public_id), 303)


@bp.get("/<source_id>/connect")
def connect(source_id: str) -> ResponseReturnValue:
    """The steps in Segment beside what has arrived."""
    source = source_or_404(source_id)
    return render_template("sources/connect.html", url=shown_url(source), **_arrival(source))


@bp.get("/<source_id>/arrival")
def arrival(source_id: str) -> ResponseReturnValue:
    """What has arrived, for the guide that asks every second."""
    return render_template("sources/_arrival.html", **_arrival(source_or_404(source_id)))


def _form(form: NewSourceForm, token: str, asking: bool = False) -> str:
    # The token travels with the form under seal, so that no row exists before the source is saved.
    sealed = tokens.seal(settings().secret_key, token).decode()
    return render_template(
        "sources/configure.html",
        form=form,
        policy_choices=POLICY_CHOICES,
        url=webhook_url(token),
        sealed=sealed,
        asking=asking,
    )


def _arrival(source: Any) -> dict[str, Any]:
    session = db.session()
    return {
        "source": source,
        "summary": source_summary.of(session, source),
        "arrival": arrivals.first(session, source),
    }


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
