"""Automations: rules that merge customers of Segment with those of the billing system, and their passes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from jobs.queue import bell
from webapp.domain.matching import KEYS, OPERATORS
from webapp.extensions import db
from webapp.models import Automation, AutomationRun
from webapp.security import current_user, go_to, viewer_may
from webapp.services.automations import review, rules, runs
from webapp.services.transactions import write
from webapp.views.arguments import row_id
from webapp.views.source_page import is_part, settings

bp = Blueprint("automations", __name__, url_prefix="/automations")

CONDITIONS = 3
"""Conditions that the form has room for."""
NEW: dict[str, Any] = {
    "name": "",
    "keys": ["email", "domain"],
    "conditions": [],
    "segment_source_id": None,
    "billing_source_id": None,
}


@bp.get("")
@viewer_may
def index() -> ResponseReturnValue:
    """Every rule: whether it is on, what it merged, what waits for a person."""
    session = db.session()
    return render_template(
        "automations/index.html",
        automations=rules.all_rules(session),
        counts=review.counts(session),
        words=rules,
    )


@bp.get("/new")
def new() -> ResponseReturnValue:
    """The form of a new rule."""
    return _form(None, NEW)


@bp.post("")
def create() -> ResponseReturnValue:
    """Add a rule, switched off: it is tested first."""
    try:
        columns = rules.checked(db.session(), _told())
    except rules.Refused as refused:
        return _form(None, _told(), str(refused)), 422
    automation = rules.add(db.session(), columns, current_user.id)
    flash("The automation was added. Test it before you switch it on.")
    return _to(automation)


@bp.get("/<uuid>")
@viewer_may
def show(uuid: str) -> ResponseReturnValue:
    """One rule: what it matches by, its test, its switch, what it merged."""
    return _page(_rule_or_404(uuid))


@bp.post("/<uuid>")
def save(uuid: str) -> ResponseReturnValue:
    """Change a rule."""
    automation = _rule_or_404(uuid)
    try:
        columns = rules.checked(db.session(), _told())
    except rules.Refused as refused:
        return _page(automation, _told(), str(refused)), 422
    _start(rules.change(db.session(), automation, columns, current_user.id))
    flash(
        "Saved. It goes over everything again."
        if automation.on
        else "Saved. Test it again before you switch it on."
    )
    return _to(automation)


@bp.post("/<uuid>/tests")
def test(uuid: str) -> ResponseReturnValue:
    """Try the rule on everything that is there; nothing is merged."""
    automation = _rule_or_404(uuid)
    _start(rules.test(db.session(), automation, current_user.id))
    return _to(automation, "run")


@bp.post("/<uuid>/switch")
def switch(uuid: str) -> ResponseReturnValue:
    """Switch a rule on or off."""
    automation = _rule_or_404(uuid)
    on = request.form.get("on") == "1"
    _start(rules.switch(db.session(), automation, on, current_user.id))
    flash("The automation is on." if on else "The automation is off. What it merged stays merged.")
    return _to(automation, "run")


@bp.post("/<uuid>/undoing")
def undo(uuid: str) -> ResponseReturnValue:
    """Switch a rule off and take back all that it merged."""
    automation = _rule_or_404(uuid)
    _start(rules.undo(db.session(), automation, current_user.id))
    return _to(automation, "run")


@bp.post("/<uuid>/removal")
def remove(uuid: str) -> ResponseReturnValue:
    """Remove a rule; what it merged stays merged."""
    rules.remove(db.session(), _rule_or_404(uuid), current_user.id)
    flash("The automation was removed. What it merged stays merged.")
    return go_to(url_for(".index"))


@bp.get("/<uuid>/run")
@viewer_may
def run(uuid: str) -> ResponseReturnValue:
    """How far the newest pass is; HTMX asks for the part alone, every second."""
    automation = _rule_or_404(uuid)
    if not is_part():
        return _to(automation, "run")
    context = _progress(automation)
    answer = make_response(render_template("automations/_run.html", **context))
    if not context["running"]:  # it has just ended, and every number of the page is another
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.post("/<uuid>/run/cancellation")
def cancel(uuid: str) -> ResponseReturnValue:
    """End the pass under way where it is."""
    automation = _rule_or_404(uuid)
    with write(db.session()):
        runs.end_open(db.session(), automation.id)
    return _to(automation, "run")


@bp.get("/<uuid>/matches")
@viewer_may
def matches(uuid: str) -> ResponseReturnValue:
    """What waits for a person, or what a test says would be merged."""
    automation = _rule_or_404(uuid)
    clear = request.args.get("of") == "clear"
    page = review.page(db.session().connection(), automation, not clear, row_id("after") or 0)
    counted = review.counts(db.session()).get(automation.id, {"waiting": 0, "merged": 0})
    return render_template(
        "automations/matches.html", automation=automation, page=page, clear=clear, counted=counted
    )


@bp.get("/<uuid>/merges")
@viewer_may
def merged(uuid: str) -> ResponseReturnValue:
    """Merges that the rule made and that stand, each with its undoing."""
    automation = _rule_or_404(uuid)
    rows, before = review.merges_of(db.session().connection(), automation.id, row_id("before"))
    return render_template(
        "automations/merges.html", automation=automation, rows=rows, before=before, words=rules
    )


def _rule_or_404(uuid: str) -> Automation:
    found = rules.find(db.session(), uuid)
    if found is None:
        abort(404)
    return found


def _told() -> dict[str, Any]:
    form = request.form
    custom = form.get("custom", "").strip()
    triples = (form.getlist(name) for name in ("field", "operator", "value"))
    return {
        "name": form.get("name", ""),
        "keys": [*form.getlist("keys"), *([f"custom.{custom}"] if custom else [])],
        "conditions": [
            {"field": field, "operator": operator, "value": value}
            for field, operator, value in zip(*triples, strict=False)
        ],
        "segment_source_id": form.get("segment_source_id", ""),
        "billing_source_id": form.get("billing_source_id", ""),
    }


def _choices(told: Any) -> dict[str, Any]:
    session = db.session()
    conditions = [each for each in told["conditions"] if each["field"]]
    blank = {"field": "", "operator": "is", "value": ""}
    fields = [(name, name.replace("_", " ").capitalize()) for name in rules.FIELDS]
    customs = rules.custom_keys(session)
    return {
        "told": told,
        "keys": list(KEYS.items()),
        "customs": customs,
        "fields": [("", "No condition"), *fields, *((f"custom.{key}", f"{key} (custom)") for key in customs)],
        "operators": list(OPERATORS.items()),
        "conditions": conditions + [blank] * max(0, CONDITIONS - len(conditions)),
        "segment_sources": [("", "Any Segment source"), *rules.sources_of(session, billing=False)],
        "billing_sources": [("", "Any billing source"), *rules.sources_of(session, billing=True)],
    }


def _form(automation: Automation | None, told: Any, error: str = "") -> str:
    return render_template("automations/new.html", automation=automation, error=error, **_choices(told))


def _page(automation: Automation, told: Any = None, error: str = "") -> str:
    as_kept = told or {name: getattr(automation, name) for name in NEW}
    return render_template("automations/show.html", error=error, **_progress(automation), **_choices(as_kept))


def _progress(automation: Automation) -> dict[str, Any]:
    session = db.session()
    run = runs.latest(session, automation.id)
    return {
        "automation": automation,
        "run": run,
        "running": rules.is_running(run),
        "counted": review.counts(session).get(automation.id, {"waiting": 0, "merged": 0}),
        "words": rules,
    }


def _start(run: AutomationRun | None) -> None:
    """Have a worker take a pass up. A queue that is away breaks nothing: the sweeper finds it."""
    if run is not None:
        bell(settings().redis_url).automate(run.id)


def _to(automation: Automation, anchor: str | None = None) -> ResponseReturnValue:
    return go_to(url_for(".show", uuid=automation.uuid, _anchor=anchor))


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
