"""Send a test event: try one out without a trace, or send it like any other."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.domain.wire import Parcel
from webapp.extensions import db
from webapp.models import Source, now
from webapp.security import current_user
from webapp.services import examples, ingest, rehearsal, sources
from webapp.services.inbox import Call, Verdict
from webapp.views.source_page import frame, ring, settings, source_or_404
from webapp.webhook import answers
from webapp.webhook.answers import Answer
from webapp.webhook.inflate import Refusal
from webapp.webhook.reading import parcel_of

bp = Blueprint("rehearsals", __name__, url_prefix="/sources/<source_id>/test-event")


@bp.get("")
def new(source_id: str) -> ResponseReturnValue:
    """Choose an example and edit it."""
    chosen = request.args.get("example", examples.FIRST)
    body = examples.example(chosen, now(), f"test-{uuid.uuid4()}")
    return _page(source_or_404(source_id), body, chosen)


@bp.post("")
def create(source_id: str) -> ResponseReturnValue:
    """Try the event, or send it."""
    source = source_or_404(source_id)
    text = request.form.get("body", "")
    body = text.encode("utf-8", "replace")
    try:
        parcel = parcel_of(body, settings().max_event_bytes)
    except Refusal as refusal:
        answer = answers.DESTINATION.refused(refusal.status, refusal.message)
        sentence = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        return _page(source, text, answer=answer, error=sentence), 422
    if request.form.get("step") == "send":
        return _send(source, text, parcel)
    answer = _answer(source, parcel)
    found = rehearsal.rehearse(db.session(), settings(), source, parcel.events)
    return _page(source, text, answer=answer, parcel=parcel, found=found)


def _answer(source: Source, parcel: Parcel) -> Answer:
    """What the webhook would answer now."""
    if source.pause == "refuse":
        return answers.DESTINATION.paused()
    return answers.DESTINATION.received(len(parcel.events))


def _send(source: Source, text: str, parcel: Parcel) -> ResponseReturnValue:
    verdict = _deliver(source, parcel)
    if verdict is not Verdict.ACCEPTED:
        paused = verdict is Verdict.PAUSED
        answer = answers.DESTINATION.paused() if paused else answers.DESTINATION.overloaded()
        return _page(source, text, answer=answer, parcel=parcel), 503
    sources.sent_test_event(db.session(), source, current_user.id)
    ring(source)
    flash(
        "The connection test is received." if parcel.is_test else "Sent, and received like any other event."
    )
    return redirect(url_for("events.of_source", source_id=source.public_id), 303)


def _deliver(source: Source, parcel: Parcel) -> Verdict | None:
    """Hand events to the webhook's own writer; None: they could not be stored."""
    session = db.session()
    url = sources.live_url(session, source)
    if url is None:
        return None
    call = Call(url.token_digest, now(), parcel.events, parcel.is_test, source.signing_sealed)
    session.rollback()  # the writer's transaction must not wait for this one
    writer = ingest.Writer(db.engine, lambda _: None)
    try:
        return writer.submit(call)
    except ingest.Unavailable:
        return None
    finally:
        writer.close()


def _page(source: Source, body: str, chosen: str = "", **result: Any) -> str:
    return render_template(
        "sources/test_event.html",
        body=body,
        chosen=chosen,
        examples=examples.CHOICES,
        **result,
        **frame(source, "settings"),
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
