"""The mapping of a source: where every trait and property goes, and sending it elsewhere."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.domain.mapping import MappingError
from webapp.domain.paths import CALLS
from webapp.extensions import db
from webapp.forms.mappings import DESTINATIONS, TRACK_CHOICES, Choice, Tracks, label
from webapp.models import Source
from webapp.models.attribute import ENTITIES
from webapp.security import current_user, go_to, viewer_may
from webapp.services import attributes, mapping, mapping_page, mapping_preview, segment_side
from webapp.services.sources import Refused
from webapp.views.source_page import frame, is_part, source_or_404

bp = Blueprint("mappings", __name__, url_prefix="/sources/<source_id>/mapping")


@bp.get("")
@viewer_may
def show(source_id: str) -> ResponseReturnValue:
    """Show every path that calls told, and where each goes; HTMX gets the table alone."""
    source = source_or_404(source_id)
    context = _table(source)
    if is_part():
        response = make_response(render_template("mappings/_table.html", source=source, **context))
        # A form sends its empty fields too; the address shows what was asked for.
        names = ("call", "q", "ruled", "page")
        asked: dict[str, Any] = {name: request.args[name] for name in names if request.args.get(name)}
        header = "HX-Replace-Url" if request.headers.get("HX-Trigger-Name") == "q" else "HX-Push-Url"
        response.headers[header] = url_for(".show", source_id=source.public_id, **asked)
        return response
    context |= {"chosen": mapping.chosen(source), "call_options": [(call, call) for call in CALLS]}
    context["arrived"] = mapping_page.arrived(db.session(), source)
    return render_template("mappings/show.html", **context, **frame(source, "mapping"))


def _table(source: Source) -> dict[str, Any]:
    session, args = db.session(), request.args
    call = args.get("call", "")
    asked = mapping_page.Asked(
        call=call if call in CALLS else "",
        search=args.get("q", "")[:200].strip(),
        ruled=args.get("ruled") == "1",
    )
    page = max(1, min(args.get("page", 1, type=int), 1000))
    lines, number = mapping_page.lines(session, source, asked, page)
    totals = mapping_page.totals(session, source)
    context = {"lines": lines, "number": number, "page": page, "page_size": mapping_page.PAGE}
    return context | {"asked": asked, "totals": totals}


@bp.get("/rule")
def edit(source_id: str) -> ResponseReturnValue:
    """Choose where one path goes, and see what that would change before it is saved."""
    source = source_or_404(source_id)
    line, siblings = _line_or_404(source)
    choice, preview, error = Choice.of(request.args), None, ""
    if choice.to is not None:
        now = mapping.chosen(source)
        try:
            preview = mapping_preview.preview(db.session(), source, now, choice.on(now, line, siblings))
        except MappingError as refused:
            error = str(refused)
    context = {"line": line, "choice": choice, "preview": preview, "error": error}
    if is_part():
        return render_template("mappings/_preview.html", source=source, **context)
    context |= {"siblings": siblings, "made": Choice.made(line), "destinations": DESTINATIONS}
    page = render_template("mappings/edit.html", **context, **frame(source, "mapping"))
    return page, 422 if error else 200


@bp.post("/rules")
def save(source_id: str) -> ResponseReturnValue:
    """Save where one path goes, and with it the same trait of other calls."""
    source = source_or_404(source_id)
    line, siblings = _line_or_404(source)
    choice = Choice.of(request.form)
    paths, to = choice.paths(line, siblings), choice.destination(line.path)
    return _saved(source, lambda: mapping.send(db.session(), source, paths, to, current_user.id))


@bp.get("/preview")
@viewer_may
def preview(source_id: str) -> ResponseReturnValue:
    """Tell what a rebuild with the chosen mapping would change."""
    source = source_or_404(source_id)
    now, then = mapping.applied(source), mapping.chosen(source)
    found = mapping_preview.preview(db.session(), source, now, then)
    template = "mappings/_changes.html" if is_part() else "mappings/preview.html"
    return render_template(template, preview=found, **frame(source, "mapping"))


@bp.get("/tracks")
def choose_tracks(source_id: str) -> ResponseReturnValue:
    """Choose which track calls are imported."""
    source = source_or_404(source_id)
    return _tracks(source, Tracks.made(mapping.chosen(source)))


@bp.post("/tracks")
def limit_tracks(source_id: str) -> ResponseReturnValue:
    """Save which track calls are imported."""
    source = source_or_404(source_id)
    tracks = Tracks.of(request.form)
    if tracks.error:
        return _tracks(source, tracks, tracks.error), 422
    limit = tracks.limit
    return _saved(source, lambda: mapping.limit_tracks(db.session(), source, limit, current_user.id))


def _tracks(source: Source, tracks: Tracks, error: str = "") -> str:
    totals = mapping_page.totals(db.session(), source)
    context = {"tracks": tracks, "error": error, "totals": totals, "choices": TRACK_CHOICES}
    return render_template("mappings/tracks.html", **context, **frame(source, "mapping"))


@bp.post("/hiding")
def hide(source_id: str) -> ResponseReturnValue:
    """Take a custom attribute off the offered columns of all sources, or put it back."""
    source = source_or_404(source_id)
    entity, key = request.form.get("entity", ""), request.form.get("key", "")
    if entity not in ENTITIES or not attributes.is_known(db.session(), entity, key):
        abort(404)
    hidden = request.form.get("on") == "1"
    attributes.hide(db.session(), entity, key, hidden, current_user.id)
    flash(f"“{key}” is no column any more." if hidden else f"“{key}” is a column again.")
    return go_to(url_for(".show", source_id=source.public_id))


@bp.post("/application")
def apply(source_id: str) -> ResponseReturnValue:
    """Let new events follow the chosen mapping where a rebuild is not to be had."""
    source = source_or_404(source_id)

    def applied() -> bool:
        mapping.apply_from_now(db.session(), source, current_user.id)
        return True

    return _saved(source, applied)


def _saved(source: Source, change: Any) -> ResponseReturnValue:
    """Make a change, and say on the mapping page what came of it."""
    try:
        changed = change()
    except Refused as refused:
        flash(str(refused), "error")
    else:
        rebuild = (
            " The tables and new events follow it once the source is rebuilt." if source.needs_rebuild else ""
        )
        flash(f"Saved.{rebuild}" if changed else "Nothing was changed.")
    return go_to(url_for(".show", source_id=source.public_id))


def _line_or_404(source: Source) -> tuple[mapping_page.Line, list[tuple[str, str, int]]]:
    """The path that an address or a form is about, and the same trait elsewhere."""
    call, path = request.values.get("call", ""), request.values.get("path", "")
    line = mapping_page.line(db.session(), source, call, path)
    if line is None:
        abort(404)
    return line, mapping_page.siblings(db.session(), source, call, path)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
    app.jinja_env.globals |= {"attribute_label": label, "segment_side": segment_side}
