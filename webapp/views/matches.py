"""Deciding what automations found: merge, not a duplicate, undo; and the domains that never match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from jobs.queue import bell
from webapp.extensions import db
from webapp.security import current_user, go_to, viewer_may
from webapp.services import merges
from webapp.services.automations import review, rules
from webapp.services.transactions import write
from webapp.views.source_page import settings

bp = Blueprint("matches", __name__, url_prefix="/automations")


@bp.post("/<uuid>/matches/<int:match_id>/merge")
def merge(uuid: str, match_id: int) -> ResponseReturnValue:
    """Merge a customer of Segment into the candidate that was chosen."""
    return _decide(uuid, match_id, review.merge, "Merged.")


@bp.post("/<uuid>/matches/<int:match_id>/refusal")
def refuse(uuid: str, match_id: int) -> ResponseReturnValue:
    """Remember that the two are not the same."""
    return _decide(uuid, match_id, review.say_no, "They are not asked about again.")


@bp.post("/<uuid>/merges/<int:decision_id>/undoing")
def undo(uuid: str, decision_id: int) -> ResponseReturnValue:
    """Take one merge of a rule back; the two are held apart from now on."""
    if rules.find(db.session(), uuid) is None:
        abort(404)
    with write(db.session()):
        undone = review.undo(db.session().connection(), decision_id, current_user.id)
    flash("Both are as if they had never been merged." if undone else "This merge was taken back already.")
    return go_to(url_for("automations.merged", uuid=uuid))


@bp.get("/free-mail-domains")
@viewer_may
def free_mail() -> ResponseReturnValue:
    """The domains that never match."""
    return _free_mail("\n".join(rules.free_mail(db.session())))


@bp.post("/free-mail-domains")
def save_free_mail() -> ResponseReturnValue:
    """Replace the list; rules that are on and match by domain go over everything again."""
    text = request.form.get("domains", "")
    try:
        started = rules.set_free_mail(db.session(), text.splitlines(), current_user.id)
    except rules.Refused as refused:
        return _free_mail(text, str(refused)), 422
    for run in started:
        bell(settings().redis_url).automate(run.id)
    flash("Saved.")
    return go_to(url_for(".free_mail"))


def _free_mail(text: str, error: str = "") -> str:
    return render_template("automations/free_mail.html", text=text, error=error)


def _decide(
    uuid: str, match_id: int, verb: Callable[[Any, int, str, int | None], None], said: str
) -> ResponseReturnValue:
    if rules.find(db.session(), uuid) is None:
        abort(404)
    candidate = request.form.get("candidate", "")
    try:
        with write(db.session()):
            verb(db.session().connection(), match_id, candidate, current_user.id)
        flash(said)
    except merges.CannotMerge as refused:
        flash(str(refused), "error")
    bell(settings().redis_url).match()
    return go_to(url_for("automations.matches", uuid=uuid))


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
