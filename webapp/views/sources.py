"""The Sources page, and the head and the settings of a source's page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.sources import GRACE_CHOICES, PAUSE_CHOICES, POLICY_CHOICES, SourceForm
from webapp.models import Source, now
from webapp.models.source import KEY, MICROS_PER_HOUR, URL
from webapp.security import current_user, public_base, viewer_may
from webapp.services import attribute_changes, event_list, source_summary, sources, sync_log, syncs, tokens
from webapp.views import billing_sources, retention
from webapp.views.source_page import (
    frame,
    is_part,
    ring,
    shown_key,
    shown_secret,
    shown_url,
    source_or_404,
)

DAY = 24 * MICROS_PER_HOUR

bp = Blueprint("sources", __name__, url_prefix="/sources")


@bp.get("")
@viewer_may
def index() -> ResponseReturnValue:
    """All sources; HTMX gets the table alone."""
    rows = source_summary.every(db.session())
    working = any(row.sync is not None for row in rows)
    template = "sources/_table.html" if is_part() else "sources/index.html"
    return render_template(template, rows=rows, working=working)


@bp.get("/<source_id>")
@viewer_may
def show(source_id: str) -> ResponseReturnValue:
    """A source's page opens with its customers."""
    source = source_or_404(source_id)
    return redirect(url_for(".show", source_id=source.public_id) + "/customers")


@bp.get("/<source_id>/head")
@viewer_may
def head(source_id: str) -> ResponseReturnValue:
    """The name, status and counts over the tabs, which ask again by themselves."""
    return render_template(
        "sources/_head.html", **frame(source_or_404(source_id), request.args.get("tab", ""))
    )


@bp.get("/<source_id>/settings")
@viewer_may
def settings(source_id: str) -> ResponseReturnValue:
    """What can be changed about a source, and what has been done to it."""
    source = source_or_404(source_id)
    if source.kind == "billing":
        return billing_sources.settings(source)
    return _settings(source, SourceForm(formdata=None, name=source.name, policy=source.policy))


@bp.post("/<source_id>/settings")
def update(source_id: str) -> ResponseReturnValue:
    """Save the name and the policy. Another policy leads to the offer of a re-sync."""
    source = source_or_404(source_id)
    form = SourceForm()
    if not form.validate_on_submit():
        return _settings(source, form), 422
    session, by = db.session(), current_user.id
    try:
        renamed = sources.rename(session, source, form.name.data, by)
        another_policy = sources.change_policy(session, source, form.policy.data, by)
    except sources.Refused as refused:
        form.refuse(refused)
        return _settings(source, form), 422
    if another_policy and source.needs_resync:
        return redirect(url_for("syncs.new", source_id=source.public_id), 303)
    flash("Saved." if renamed or another_policy else "Nothing was changed.")
    return redirect(url_for(".settings", source_id=source.public_id), 303)


@bp.post("/<source_id>/pause")
def pause(source_id: str) -> ResponseReturnValue:
    """Pause a source in one of the two ways."""
    source = source_or_404(source_id)
    try:
        sources.pause(db.session(), source, request.form.get("mode", ""), current_user.id)
        flash(f"{source.name} is paused.")
    except sources.Refused as refused:
        flash(str(refused), "error")
    return redirect(url_for(".settings", source_id=source.public_id), 303)


@bp.post("/<source_id>/resumption")
def resume(source_id: str) -> ResponseReturnValue:
    """Take in events again, and what has waited meanwhile."""
    source = source_or_404(source_id)
    if sources.resume(db.session(), source, current_user.id):
        ring(source)
        flash(f"{source.name} is receiving again.")
    return redirect(url_for(".settings", source_id=source.public_id), 303)


def _settings(source: Source, form: SourceForm) -> str:
    session = db.session()
    return render_template(
        "sources/settings.html",
        form=form,
        policy_choices=POLICY_CHOICES,
        pause_choices=PAUSE_CHOICES,
        waiting=event_list.waiting(session, source) if source.pause else None,
        rejections=sources.rejections(session, source),
        retention=retention.context(source) if current_user.is_administrator else None,
        sync=syncs.open_sync(session, source.id),
        history=sync_log.history(session, source),
        pending=attribute_changes.pending(session, source),
        **_ways_in(source),
        **frame(source, "settings"),
    )


def _ways_in(source: Source) -> dict[str, Any]:
    """By what senders reach a source: its URL, its write key, and whether they have to sign."""
    session, since = db.session(), now() - DAY
    old = {kind: sources.old_urls(session, source, kind) for kind in (URL, KEY)}
    return {
        "url": shown_url(source),
        "old_urls": old[URL],
        "key": shown_key(source),
        "has_key": sources.live_url(session, source, KEY) is not None,
        "old_keys": old[KEY],
        "late": {kind: any((one.last_late_call_at or 0) > since for one in of) for kind, of in old.items()},
        "base": public_base(),
        "secret": shown_secret(source),
        "new_secret": tokens.make_token(),
        "grace_choices": GRACE_CHOICES,
    }


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
