"""The webhook: a small WSGI application in front of Flask, which never enters it.

It knows tokens, limits, inflating and where an event begins and ends; what an event says is read later, by
the worker. A call is turned away for the first of these: method, token, coding, size, form, signature. Where
only the body names the write key, that comes after the form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.config import Settings
from webapp.models import now
from webapp.services import metrics
from webapp.services.inbox import TURNED_AWAY, Notes, Verdict
from webapp.services.ingest import Unavailable, Writer
from webapp.webhook import answers
from webapp.webhook.answers import Answer, Manner
from webapp.webhook.entrances import Entrance, entrance
from webapp.webhook.inflate import Refusal, body_of
from webapp.webhook.lanes import Full, Lane
from webapp.webhook.reading import Letter, checker, reason
from webapp.webhook.threads import Threads
from webapp.webhook.tokens import Standing, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()


class _Forbidden(Exception):
    """The secret of a call opens nothing now."""

    def __init__(self, standing: Standing | None) -> None:
        super().__init__()
        self.standing = standing


class Webhook:
    """Answers calls to webhook URLs and to the paths of Segment's libraries, and hands everything else on."""

    def __init__(
        self,
        behind: WSGIApplication,
        settings: Settings,
        writer: Writer,
        known: Tokens,
        threads: Threads | None = None,
    ) -> None:
        """Args:
        behind: the application for every other path.
        settings: give the limits.
        writer: stores calls.
        known: looks tokens up.
        threads: where the threads that call this may run; None: wherever they do.
        """
        self._behind = behind
        self._settings = settings
        self._writer = writer
        self._tokens = known
        self._check = checker(settings.secret_key)
        self._threads = threads
        self._bodies = Lane(settings.web_threads * 5 // 8)
        self._forms = Lane(settings.web_threads // 4)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        came_in = entrance(environ)
        if came_in is None:
            if self._threads is not None:
                self._threads.spread()
            return self._pass_on(environ, start_response)
        if self._threads is not None:
            self._threads.gather()
        try:
            answer = self._answer(environ, came_in)
        except (Unavailable, Full, SQLAlchemyError):
            answer = came_in.manner.overloaded()
        except Exception as error:
            log.exception("webhook.failed", error=type(error).__name__)
            answer = came_in.manner.overloaded()
        metrics.answered(answer.status)
        return answer.send(environ, start_response)

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._behind(environ, start_response)
        try:
            with self._forms:
                return self._behind(environ, start_response)
        except Full:
            return answers.BUSY.send(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, came_in: Entrance) -> Answer:
        manner, letter = came_in.manner, None
        if environ["REQUEST_METHOD"] != "POST":
            return manner.only_post()
        try:
            if came_in.token is not None:
                self._opened(came_in.token)
            with self._bodies:
                body = body_of(environ, self._settings.max_body_bytes)
            letter = Letter(came_in, body, self._settings.max_event_bytes)
            verdict = self._store(letter, environ.get("HTTP_X_SIGNATURE", ""))
        except Refusal as refusal:
            return self._refused(letter.call.token if letter else came_in.token, refusal, manner)
        except _Forbidden as forbidden:
            return self._forbidden(forbidden.standing, manner)
        if verdict is Verdict.PAUSED:
            return manner.paused()
        return manner.received(len(letter.call.events)) if verdict is Verdict.ACCEPTED else manner.forbidden

    def _opened(self, token: bytes) -> Standing:
        standing = self._tokens.recall(token) or self._tokens.look_up(token)
        if standing is None or standing.ended:
            raise _Forbidden(standing)
        return standing

    def _store(self, letter: Letter, signature: str) -> Verdict:
        """Store a call that is signed as its source asks for at the moment it is stored."""
        for _ in range(2):
            verdict = self._submit(letter, signature)
            if verdict in (Verdict.ACCEPTED, Verdict.PAUSED):
                return verdict
            self._tokens.forget(letter.call.token)
            if verdict is Verdict.FORBIDDEN:
                return verdict
        raise Unavailable("the secret of its signatures changed twice meanwhile")

    def _submit(self, letter: Letter, signature: str) -> Verdict:
        call = letter.call
        if letter.is_short and self._opened(call.token).signing is None:
            call.signing = None
            return self._writer.submit(call, letter.read, letter.size)
        letter.read()
        call.signing = self._signed_with(call.token, signature, letter.signed)
        return self._writer.submit(call)

    def _signed_with(self, token: bytes, signature: str, texts: list[bytes]) -> bytes | None:
        """The sealed secret that a call is rightly signed with; None: its source asks for no signature."""
        standing = self._opened(token)
        if standing.signing is None:
            return None
        try:
            self._check(standing.signing, signature, texts)
        except Refusal:
            # What is remembered may let a call in, since its transaction looks again, but never refuse it.
            self._tokens.forget(token)
            fresh = self._opened(token).signing
            if fresh == standing.signing:
                raise
            if fresh is not None:
                self._check(fresh, signature, texts)
            return fresh
        return standing.signing

    def _refused(self, token: bytes | None, refusal: Refusal, manner: Manner) -> Answer:
        # What is remembered is not enough here: no transaction will look at the token again.
        if token:
            standing = self._tokens.look_up(token)
            if standing is None or standing.ended:
                return self._forbidden(standing, manner)
            self._note(standing, refusal.status, reason(refusal))
        if refusal.status == 503:
            return manner.later(60, refusal.message)
        return manner.refused(refusal.status, refusal.message)

    def _forbidden(self, standing: Standing | None, manner: Manner) -> Answer:
        if standing is not None:
            self._note(standing, *TURNED_AWAY[standing.kind])
        return manner.forbidden

    def _note(self, standing: Standing, status: int, reason: str) -> None:
        notes, at = Notes(), now()
        notes.reject(standing.source_id, status, reason, at)
        if standing.replaced:
            notes.be_late(standing.url_id, at)
        self._writer.note(notes)
