"""A source's events: the live list, what each came to, and a look into one of them."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source
from webapp.models.event import PENDING
from webapp.security import viewer_may
from webapp.services import event_list, event_page, outcomes
from webapp.views.arguments import row_id
from webapp.views.source_page import frame, is_part, source_or_404

bp = Blueprint("events", __name__, url_prefix="/sources/<source_id>/events")


@bp.get("")
@viewer_may
def of_source(source_id: str) -> ResponseReturnValue:
    """Show the events, newest first; for HTMX only the list."""
    source = source_or_404(source_id)
    asked = event_list.wanted(request.args)
    if not is_part() and "" in request.args.values() and not asked.problems:
        return redirect(_address(source, asked), 303)  # a form sends its empty fields too
    context = _list(source, asked)
    if not is_part():
        around = _around(source) | frame(source, "events")
        return render_template("events/index.html", **context | around)
    response = make_response(render_template("events/_list.html", **context))
    if "upto" not in request.args:
        page = {name: request.args[name] for name in ("before", "after") if name in request.args}
        header = "HX-Replace-Url" if request.headers.get("HX-Trigger-Name") == "q" else "HX-Push-Url"
        response.headers[header] = _address(source, asked, **page)
    return response


@bp.get("/news")
@viewer_may
def news(source_id: str) -> ResponseReturnValue:
    """Tell how many events came since the list was shown."""
    source = source_or_404(source_id)
    asked = event_list.wanted(request.args)
    since = row_id("since") or 0
    number = event_list.arrived(db.session(), source, asked, since)
    if not number:
        return "", 204
    return render_template(
        "events/_news.html",
        number=number,
        fill=bool(request.args.get("fill")),
        href=_address(source, asked),
        news_href=_news_address(source, asked, since),
    )


@bp.get("/counts")
@viewer_may
def counts(source_id: str) -> ResponseReturnValue:
    """Tell how many events came to each outcome."""
    source = source_or_404(source_id)
    if not is_part():
        return redirect(url_for(".of_source", source_id=source_id, counts=1), 303)
    return render_template("events/_counts.html", source=source, **_counts(source))


@bp.get("/<int:event_id>")
@viewer_may
def show(source_id: str, event_id: int) -> ResponseReturnValue:
    """Show one event as received, beside what was read from it."""
    source = source_or_404(source_id)
    event = event_page.find(db.session(), source, event_id)
    if event is None:
        abort(404)
    look = event_page.look(db.session(), source, event)
    return render_template("events/show.html", look=look, event=event, **frame(source, "events"))


@bp.get("/<int:event_id>/body")
@viewer_may
def body(source_id: str, event_id: int) -> ResponseReturnValue:
    """Send an event's body byte for byte, as a file."""
    event = event_page.find(db.session(), source_or_404(source_id), event_id)
    if event is None:
        abort(404)
    headers = {"Content-Disposition": f'attachment; filename="event-{event.id}.json"'}
    return Response(event.body, mimetype="application/json", headers=headers)


def _list(source: Source, asked: event_list.Wanted) -> dict[str, Any]:
    session = db.session()
    newest = event_list.newest(session, source)
    upto, before, after = (row_id(name) for name in ("upto", "before", "after"))
    first = before is None and after is None
    page = event_list.page(session, source, asked, upto + 1 if upto is not None else before, after)
    if upto is not None:
        newest, page = upto, event_list.Page(page.lines, None, page.older)
    return {
        "source": source,
        "asked": asked,
        "page": page,
        "first": first,
        "here": url_for(".of_source", source_id=source.public_id),
        "clear_href": url_for(".of_source", source_id=source.public_id),
        "newer_href": _address(source, asked, after=page.newer) if page.newer else None,
        "older_href": _address(source, asked, before=page.older) if page.older else None,
        "news_href": _news_address(source, asked, newest, fill=not page.lines),
        "same_href": _same(source, asked, page, newest) if first else None,
    }


def _same(source: Source, asked: event_list.Wanted, page: event_list.Page, newest: int) -> str | None:
    """Where the same events are asked for again, as long as some of them wait to be processed."""
    waits = any(line.event.state == PENDING for line in page.lines) and asked.outcome != "pending"
    return _address(source, asked, upto=newest) if waits else None


def _around(source: Source) -> dict[str, Any]:
    session = db.session()
    return {
        "type_options": [("", "Every type"), *((name, name) for name in event_list.types(session, source))],
        "kinds": outcomes.KINDS,
        "rejections": event_list.rejections(session, source),
        "late_calls": event_list.late_calls(session, source),
        **(_counts(source) if request.args.get("counts") else {"counts": None}),
    }


def _counts(source: Source) -> dict[str, Any]:
    return {"counts": event_list.counts(db.session(), source), "kinds": outcomes.KINDS}


def _address(source: Source, asked: event_list.Wanted, **page: Any) -> str:
    args: dict[str, Any] = {**asked.args, **page}
    return url_for(".of_source", source_id=source.public_id, **args)


def _news_address(source: Source, asked: event_list.Wanted, since: int, fill: bool = False) -> str:
    args: dict[str, Any] = {**asked.args, "since": since} | ({"fill": 1} if fill else {})
    return url_for(".news", source_id=source.public_id, **args)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
