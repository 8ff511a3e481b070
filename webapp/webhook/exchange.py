"""One call of the webhook, from its headers to its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.models import now
from webapp.services import metrics
from webapp.services.inbox import TURNED_AWAY, Notes, Verdict
from webapp.services.ingest import Unavailable, Writer
from webapp.webhook.answers import Answer
from webapp.webhook.entrances import Entrance
from webapp.webhook.inflate import Refusal, body_of
from webapp.webhook.lanes import Full, Lane
from webapp.webhook.reading import letter_of, reason
from webapp.webhook.tokens import Standing, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_TRIES = 2

log = structlog.get_logger()


class _Forbidden(Exception):
    """The secret of a call opens nothing now."""

    def __init__(self, standing: Standing | None) -> None:
        super().__init__()
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Desk:
    """What all calls share.

    Attributes:
        writer: stores calls.
        known: looks tokens up.
        check: of `reading.checker`.
        bodies: how many threads may wait for the body of a call whose secret opened something.
        strangers: how many may where only the body names a secret.
        most_of_a_body: bytes that it may have, inflated.
        most_of_an_event: bytes that one of its events may have.
    """

    writer: Writer
    known: Tokens
    check: Callable[[bytes, str, Sequence[bytes]], None]
    bodies: Lane
    strangers: Lane
    most_of_a_body: int
    most_of_an_event: int


class Exchange:
    """One call and its one answer.

    The thread that has the request reads it and hands it to the writer; the writer's thread answers. So only
    the sender waits for a commit.
    """

    def __init__(self, desk: Desk, came_in: Entrance, reply: Callable[[Answer], None]) -> None:
        """Args:
        desk: what all calls share.
        came_in: how this one names its source.
        reply: takes the answer, once, in whichever thread has it. It must not wait.
        """
        self._desk, self._came_in, self._manner, self._reply = desk, came_in, came_in.manner, reply
        self._token = came_in.token
        self._signature = ""
        self._tries = _TRIES

    def begin(self, environ: WSGIEnvironment) -> None:
        """Read the call and hand it to the writer, or answer at once why not."""
        self._settle(lambda: self._receive(environ))

    def _settle(self, act: Callable[[], Answer | None]) -> None:
        try:
            answer = self._judged(act)
        except (Unavailable, Full, SQLAlchemyError):
            answer = self._manner.overloaded()
        except Exception as error:
            log.exception("webhook.failed", error=type(error).__name__)
            answer = self._manner.overloaded()
        if answer is not None:
            self._say(answer)

    def _judged(self, act: Callable[[], Answer | None]) -> Answer | None:
        try:
            return act()
        except Refusal as refusal:
            return self._refused(refusal)
        except _Forbidden as forbidden:
            return self._forbidden(forbidden.standing)

    def _receive(self, environ: WSGIEnvironment) -> Answer | None:
        """An answer, or None: the writer gives it."""
        if environ["REQUEST_METHOD"] != "POST":
            return self._manner.only_post()
        if self._token is not None:
            self._opened(self._token)
        with self._desk.strangers if self._token is None else self._desk.bodies:
            body = body_of(environ, self._desk.most_of_a_body)
        self._call, self._signed = letter_of(self._came_in, body, self._desk.most_of_an_event)
        self._token = self._call.token
        self._signature = environ.get("HTTP_X_SIGNATURE", "")
        return self._hand_in()

    def _hand_in(self) -> Answer | None:
        """Have the call stored, signed as its source asks for at the moment it is stored."""
        self._tries -= 1
        standing = self._rightly_signed()
        self._call.signing, self._call.source_id = standing.signing, standing.source_id
        self._desk.writer.hand_in(self._call, self._told)
        return None

    def _told(self, verdict: Verdict | None) -> None:
        if verdict is Verdict.ACCEPTED:
            self._say(self._manner.received(len(self._call.events)))
        elif verdict is Verdict.PAUSED:
            self._say(self._manner.paused())
        elif verdict is None:
            self._say(self._manner.overloaded())
        else:
            self._desk.known.forget(self._call.token)
            if verdict is Verdict.FORBIDDEN:
                self._say(self._manner.forbidden)
            elif self._tries:
                # It asks the database, which the writer's thread must not wait for.
                Thread(target=self._settle, args=[self._hand_in], name="signed anew", daemon=True).start()
            else:
                self._say(self._manner.overloaded())

    def _say(self, answer: Answer) -> None:
        metrics.answered(answer.status)
        self._reply(answer)

    def _opened(self, token: bytes) -> Standing:
        known = self._desk.known
        standing = known.recall(token) or known.look_up(token)
        if standing is None or standing.ended:
            raise _Forbidden(standing)
        return standing

    def _rightly_signed(self) -> Standing:
        """What the call's token opens, once its signature was checked, if its source asks for one."""
        token = self._call.token
        standing = self._opened(token)
        if standing.signing is None:
            return standing
        try:
            self._desk.check(standing.signing, self._signature, self._signed)
        except Refusal:
            # What is remembered may let a call in, since its transaction looks again, but never refuse it.
            self._desk.known.forget(token)
            fresh = self._opened(token)
            if fresh.signing == standing.signing:
                raise
            if fresh.signing is not None:
                self._desk.check(fresh.signing, self._signature, self._signed)
            return fresh
        return standing

    def _refused(self, refusal: Refusal) -> Answer:
        # What is remembered is not enough here: no transaction will look at the token again.
        if self._token:
            standing = self._desk.known.look_up(self._token)
            if standing is None or standing.ended:
                return self._forbidden(standing)
            self._note(standing, refusal.status, reason(refusal))
        if refusal.status == 503:
            return self._manner.later(60, refusal.message)
        return self._manner.refused(refusal.status, refusal.message)

    def _forbidden(self, standing: Standing | None) -> Answer:
        if standing is not None:
            self._note(standing, *TURNED_AWAY[standing.kind])
        return self._manner.forbidden

    def _note(self, standing: Standing, status: int, reason: str) -> None:
        notes, at = Notes(), now()
        notes.reject(standing.source_id, status, reason, at)
        if standing.replaced:
            notes.be_late(standing.url_id, at)
        self._desk.writer.note(notes)
