"""The webhook: a small WSGI application in front of Flask, which never enters it.

It knows tokens, limits, inflating and where an event begins and ends; what an event says is read later, by
the worker. A call is turned away for the first of these: method, token, coding, size, form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.config import Settings
from webapp.domain import wire
from webapp.models import now
from webapp.services import metrics, tokens
from webapp.services.inbox import FORBIDDEN, Call, Notes, Verdict
from webapp.services.ingest import Unavailable, Writer
from webapp.webhook import answers
from webapp.webhook.answers import Answer
from webapp.webhook.inflate import Refusal, body_of
from webapp.webhook.lanes import Full, Lane
from webapp.webhook.tokens import Standing, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

# Where in the body something is wrong helps the sender; counted are reasons, not places.
_PLACE = re.compile(r" \([^()]*\)$")


class Webhook:
    """Answers calls to webhook URLs and hands everything else on."""

    def __init__(self, behind: WSGIApplication, settings: Settings, writer: Writer, known: Tokens) -> None:
        """Args:
        behind: the application for every other path.
        settings: give the limits.
        writer: stores calls.
        known: looks tokens up.
        """
        self._behind = behind
        self._settings = settings
        self._writer = writer
        self._tokens = known
        self._bodies = Lane(settings.web_threads * 5 // 8)
        self._forms = Lane(settings.web_threads // 4)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(tokens.PATH):
            return self._pass_on(environ, start_response)
        try:
            answer = self._answer(environ, path)
        except (Unavailable, Full, SQLAlchemyError):
            answer = answers.OVERLOADED
        except Exception as error:
            log.exception("webhook.failed", error=type(error).__name__)
            answer = answers.OVERLOADED
        metrics.answered(answer.status)
        return answer.send(environ, start_response)

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._behind(environ, start_response)
        try:
            with self._forms.place():
                return self._behind(environ, start_response)
        except Full:
            return answers.BUSY.send(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, path: str) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            return answers.ONLY_POST
        digest = tokens.digest(path.removeprefix(tokens.PATH).removesuffix("/"))
        if not self._tokens.remembers(digest):
            standing = self._tokens.look_up(digest)
            if standing is None or standing.ended:
                return self._forbidden(standing)
        try:
            call = self._read(environ, digest)
        except Refusal as refusal:
            return self._refused(digest, refusal)
        return self._store(call)

    def _read(self, environ: WSGIEnvironment, digest: bytes) -> Call:
        with self._bodies.place():
            body = body_of(environ, self._settings.max_body_bytes)
        try:
            parcel = wire.split(body)
        except wire.Refused as refused:
            raise Refusal(400, str(refused)) from None
        most = self._settings.max_event_bytes
        if any(len(event) > most for event in parcel.events):
            raise Refusal(413, f"an event has more than {most:,} bytes")
        events = [(wire.digest(event), event) for event in parcel.events]
        return Call(digest, now(), events, parcel.is_test)

    def _store(self, call: Call) -> Answer:
        verdict = self._writer.submit(call)
        if verdict is Verdict.ACCEPTED:
            return answers.received(len(call.events))
        if verdict is Verdict.PAUSED:
            return answers.PAUSED
        self._tokens.forget(call.token)
        return answers.ACCESS_FORBIDDEN

    def _refused(self, digest: bytes, refusal: Refusal) -> Answer:
        # What is remembered is not enough here: no transaction will look at the token again.
        standing = self._tokens.look_up(digest)
        if standing is None or standing.ended:
            return self._forbidden(standing)
        self._note(standing, refusal.status, _PLACE.sub("", refusal.message))
        return answers.refused(refusal.status, refusal.message)

    def _forbidden(self, standing: Standing | None) -> Answer:
        if standing is not None:
            self._note(standing, 403, FORBIDDEN)
        return answers.ACCESS_FORBIDDEN

    def _note(self, standing: Standing, status: int, reason: str) -> None:
        notes, at = Notes(), now()
        notes.reject(standing.source_id, status, reason, at)
        if standing.replaced:
            notes.be_late(standing.url_id, at)
        self._writer.note(notes)
