"""Import existing data: upload archives, see what is in them, choose, and follow the import to its end."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from jobs.queue import bell
from webapp.domain.calls import TYPES, Choice, Unfit, choose
from webapp.extensions import csrf, db
from webapp.models import Event, Import, ImportFile, ImportProblem, Source
from webapp.models.event import PENDING
from webapp.models.imports import CHOOSING
from webapp.security import current_user, go_to
from webapp.services import counting, csv_files
from webapp.services import sources as services
from webapp.services.imports import asking, files, preview, words
from webapp.services.imports.findings import OTHER, Findings
from webapp.views import uploads
from webapp.views.source_page import frame, is_part, settings, source_or_404

bp = Blueprint("imports", __name__, url_prefix="/sources/<source_id>/imports")

MOST_WAITING = 100_000  # events that are counted one by one; more are "more than" so many


@bp.get("")
def index(source_id: str) -> ResponseReturnValue:
    """The form that takes files, and the imports so far."""
    return _index(source_or_404(source_id))


@bp.post("")
@csrf.exempt  # `uploads.receive` looks at the token itself, before it takes a byte
def create(source_id: str) -> ResponseReturnValue:
    """Take the files, and have them looked through."""
    source = source_or_404(source_id)
    db.session().rollback()  # an upload may take hours, and nothing may be locked meanwhile
    folder = files.new_folder(settings())
    try:
        given = [(name, None, size) for name, size in uploads.receive(folder)]
        source = source_or_404(source_id)
        asked = asking.begin(db.session(), source, given, folder=folder.name, by=current_user.id)
    except (uploads.Refused, services.Refused) as refused:
        files.remove(settings(), folder.name)
        return _index(source_or_404(source_id), str(refused)), 422
    except BaseException:
        files.remove(settings(), folder.name)
        raise
    bell(settings().redis_url).take_in(asked.id)
    return go_to(url_for(".show", source_id=source.public_id, import_id=asked.id))


@bp.get("/<int:import_id>")
def show(source_id: str, import_id: int) -> ResponseReturnValue:
    """How far it is; then what was found, and the choice; then the report. HTMX asks for the part alone."""
    source = source_or_404(source_id)
    asked = _import_or_404(source, import_id)
    context = _found(source, asked) if asked.state == CHOOSING else {}
    template = "imports/_import.html" if is_part() else "imports/show.html"
    return render_template(
        template,
        asked=asked,
        names=_names(asked),
        waiting=_waiting(source, asked),
        **context,
        **frame(source, "settings"),
    )


@bp.get("/<int:import_id>/preview")
def look(source_id: str, import_id: int) -> ResponseReturnValue:
    """What a choice would bring, while somebody still chooses."""
    source = source_or_404(source_id)
    asked = _import_or_404(source, import_id)
    if asked.state != CHOOSING:
        return go_to(url_for(".show", source_id=source_id, import_id=import_id))
    return render_template("imports/_preview.html", asked=asked, source=source, **_chosen(source, asked))


@bp.post("/<int:import_id>/choice")
def start(source_id: str, import_id: int) -> ResponseReturnValue:
    """Begin to store what was chosen."""
    source = source_or_404(source_id)
    asked = _import_or_404(source, import_id)
    address = url_for(".show", source_id=source_id, import_id=import_id)
    try:
        begun = asking.choose(db.session(), source, asked, _choice(request.form), current_user.id)
    except Unfit as unfit:
        flash(f"{unfit} Nothing was imported.", "error")
        return go_to(address)
    if begun:
        bell(settings().redis_url).take_in(asked.id)
        flash("The import has started.")
    return go_to(address)


@bp.post("/<int:import_id>/cancellation")
def cancel(source_id: str, import_id: int) -> ResponseReturnValue:
    """Have it end where it is, and its files removed."""
    source = source_or_404(source_id)
    asked = _import_or_404(source, import_id)
    asking.cancel(db.session(), asked)
    bell(settings().redis_url).take_in(asked.id)
    return go_to(url_for(".show", source_id=source_id, import_id=import_id))


@bp.get("/<int:import_id>/unreadable.csv")
def problems(source_id: str, import_id: int) -> ResponseReturnValue:
    """Every line that could not be read: file, line and reason."""
    asked = _import_or_404(source_or_404(source_id), import_id)
    wanted = select(ImportProblem.file, ImportProblem.line, ImportProblem.reason)
    rows = db.session.execute(wanted.where(ImportProblem.import_id == asked.id).order_by(ImportProblem.id))
    cells = [(row.file, str(row.line or ""), row.reason) for row in rows]
    headers = {"Content-Disposition": f'attachment; filename="unreadable-{asked.id}.csv"'}
    return Response(csv_files.lines(("file", "line", "reason"), cells), mimetype="text/csv", headers=headers)


def _index(source: Source, error: str = "") -> str:
    template = "imports/_upload.html" if is_part() else "imports/index.html"
    return render_template(
        template, error=error, imports=asking.latest(db.session(), source), **frame(source, "settings")
    )


def _import_or_404(source: Source, import_id: int) -> Import:
    asked = asking.find(db.session(), source, import_id)
    if asked is None:
        abort(404)
    return asked


def _names(asked: Import) -> list[str]:
    """The first files of an import, and how many more there are."""
    wanted = select(ImportFile.name).where(ImportFile.import_id == asked.id).order_by(ImportFile.number)
    names = list(db.session.scalars(wanted.limit(5)))
    count = select(func.count()).select_from(ImportFile).where(ImportFile.import_id == asked.id)
    more = (db.session.scalar(count) or 0) - len(names)
    return [*names, f"and {more:,} more"] if more else names


def _waiting(source: Source, asked: Import) -> int:
    """How many events of the source wait to be read, once an import has stored its own."""
    if asked.open:
        return 0
    pending = select(Event.id).where(Event.source_id == source.id, Event.state == PENDING)
    return counting.number(db.session(), pending, MOST_WAITING)


def _found(source: Source, asked: Import) -> dict[str, Any]:
    found = Findings.load(asked.found)
    present = found.by_type()
    events = found.by_event()
    return {
        "found": found,
        "types": [(type_, present[type_]) for type_ in TYPES if type_ in present],
        "never": [(type_ or "without a type", n) for type_, n in present.items() if type_ not in TYPES],
        "events": [(name, count) for name, count in events.items() if name != OTHER],
        "other_events": events.get(OTHER, 0),
        **_chosen(source, asked),
    }


def _chosen(source: Source, asked: Import) -> dict[str, Any]:
    """The choice that the address tells, what it would bring, and what is wrong with it."""
    args = request.args
    context: dict[str, Any] = {"args": args, "unfit": None, "preview": None, "fields": _fields(args)}
    try:
        choice = _choice(args)
        context["preview"] = preview.of(db.session(), source, asked, choice)
        context["choice"] = words.in_words(choice)
    except Unfit as unfit:
        context["unfit"] = unfit
    return context


def _choice(form: Any) -> Choice:
    """What a form says was chosen; all of it, for a page that nobody has changed yet."""
    if not form.get("chosen"):
        return Choice()
    events = form.getlist("event") if form.get("events") == "some" else None
    return choose(form.get("from", ""), form.get("to", ""), form.getlist("type"), events)


def _fields(form: Any) -> list[tuple[str, str]]:
    """The same choice as the hidden fields of the form that begins."""
    names = ("chosen", "from", "to", "type", "events", "event")
    return [(name, value) for name in names for value in form.getlist(name)]


def _words() -> dict[str, Any]:
    return {"import_words": words, "latest_imports": lambda source: asking.latest(db.session(), source)}


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
    app.context_processor(_words)
