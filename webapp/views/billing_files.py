"""CSV files of a billing source: upload, say which column is what, follow, and correct what was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Flask, Response, abort, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine, select

from jobs.queue import bell
from webapp.domain.billing_rows import FIELDS, REASON, REQUIRED
from webapp.extensions import csrf, db
from webapp.models import BillingFile, RefusedRow, Source
from webapp.models.billing_file import CHOOSING
from webapp.security import current_user, go_to
from webapp.services import csv_files
from webapp.services.billing import files, uploads
from webapp.views import uploads as receiving
from webapp.views.source_page import frame, is_part, settings, source_or_404

bp = Blueprint("billing_files", __name__, url_prefix="/sources/<source_id>/files")

SHOWN = 20
"""Refused rows that the page itself shows."""


@bp.get("")
def index(source_id: str) -> ResponseReturnValue:
    """The form that takes a file, and the files so far."""
    return _index(_billing_source(source_id))


@bp.post("/<any(customers, subscriptions):kind>")
@csrf.exempt  # `uploads.receive` looks at the token itself, before it takes a byte
def create(source_id: str, kind: str) -> ResponseReturnValue:
    """Take a file in, and ask which column is what."""
    _billing_source(source_id)
    db.session().rollback()  # an upload may take long, and nothing may be locked meanwhile
    folder = files.new_folder(settings())
    try:
        name, size = receiving.receive(folder)[0]
        source = _billing_source(source_id)
        file = uploads.take_in(db.session(), source, kind, name, folder / "0", size, current_user.id)
    except (receiving.Refused, files.Unreadable) as refused:
        files.remove(settings(), folder.name)
        return _index(_billing_source(source_id), kind, str(refused)), 422
    except BaseException:
        files.remove(settings(), folder.name)
        raise
    return _to(source_id, file)


@bp.get("/<int:file_id>")
def show(source_id: str, file_id: int) -> ResponseReturnValue:
    """Which column is what; then how far it is; then what became of it. HTMX asks for the part alone."""
    source = _billing_source(source_id)
    return _page(source, _file_or_404(source, file_id))


@bp.post("/<int:file_id>/columns")
def begin(source_id: str, file_id: int) -> ResponseReturnValue:
    """Begin to import, with the columns as they were chosen."""
    source = _billing_source(source_id)
    file = _file_or_404(source, file_id)
    columns = request.form.getlist("column")[: len(file.heading)]
    columns += [""] * (len(file.heading) - len(columns))
    try:
        uploads.begin(db.session(), source, file, columns, current_user.id)
    except uploads.Unfit as unfit:
        return _page(source, file, columns, str(unfit)), 422
    bell(settings().redis_url).read_file(file.id)
    return _to(source_id, file)


@bp.post("/<int:file_id>/cancellation")
def cancel(source_id: str, file_id: int) -> ResponseReturnValue:
    """End it where it is; what was imported stays."""
    source = _billing_source(source_id)
    file = _file_or_404(source, file_id)
    uploads.cancel(db.session(), file)
    if file.busy:
        bell(settings().redis_url).read_file(file.id)
    else:
        files.remove(settings(), file.folder)
    return _to(source_id, file)


@bp.get("/<int:file_id>/refused.csv")
def refused(source_id: str, file_id: int) -> ResponseReturnValue:
    """The refused rows as they were, with what is wrong behind: to be corrected and uploaded again."""
    file = _file_or_404(_billing_source(source_id), file_id)
    cells = _refused_cells(db.engine, file.id, len(file.heading))
    headers = {"Content-Disposition": f'attachment; filename="refused-{file.id}.csv"'}
    lines = csv_files.lines((*file.heading, REASON), cells)
    return Response(lines, mimetype="text/csv", headers=headers)


def _refused_cells(engine: Engine, file_id: int, width: int) -> Iterator[list[str]]:
    """The cells of refused rows, read while they are sent: the request's own session has ended by then."""
    query = select(RefusedRow.cells, RefusedRow.problems).where(RefusedRow.file_id == file_id)
    with engine.connect().execution_options(stream_results=True, yield_per=500) as connection:
        for row in connection.execute(query.order_by(RefusedRow.id)):
            yield [*row.cells, *[""] * (width - len(row.cells)), " ".join(row.problems)]


def _index(source: Source, kind: str = "", error: str = "") -> str:
    latest = uploads.latest(db.session(), source)
    return render_template(
        "billing_files/index.html", kind=kind, error=error, files=latest, **frame(source, "settings")
    )


def _page(source: Source, file: BillingFile, columns: list[str] | None = None, error: str = "") -> Response:
    context: dict[str, Any] = {"file": file, "error": error, "columns": columns or file.columns}
    if file.state == CHOOSING:
        context |= {
            "sample": files.sample(settings(), file),
            "choices": _choices(file),
            "required": REQUIRED[file.kind],
        }
    elif not file.busy:
        query = select(RefusedRow).where(RefusedRow.file_id == file.id).order_by(RefusedRow.id).limit(SHOWN)
        context["refused"] = db.session.scalars(query).all()
    template = "billing_files/_file.html" if is_part() else "billing_files/show.html"
    answer = make_response(render_template(template, **context, **frame(source, "settings")))
    if is_part() and not file.busy:  # it has just ended, and the tabs count other rows
        answer.headers["HX-Refresh"] = "true"
    return answer


def _choices(file: BillingFile) -> list[list[tuple[str, str]]]:
    """What each column can be: a field, a custom attribute under the heading's own key, or nothing."""
    fields = [("", "Do not import"), *FIELDS[file.kind].items()]
    found = []
    for guessed in file.columns:
        custom = guessed if guessed.startswith("custom.") else ""
        extra = [(custom, f"Custom attribute {custom.removeprefix('custom.')}")] if custom else []
        found.append([*fields, *extra])
    return found


def _billing_source(source_id: str) -> Source:
    source = source_or_404(source_id)
    if source.kind != "billing":
        abort(404)
    return source


def _file_or_404(source: Source, file_id: int) -> BillingFile:
    file = uploads.find(db.session(), source, file_id)
    if file is None:
        abort(404)
    return file


def _to(source_id: str, file: BillingFile) -> ResponseReturnValue:
    if not file.busy and file.state != CHOOSING:
        flash("Ended. What was imported stays.")
    return go_to(url_for(".show", source_id=source_id, file_id=file.id))


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
