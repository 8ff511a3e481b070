"""What the webhook answers: a status and a small JSON body, never a redirect, a cookie or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webapp.models.source import KEY
from webapp.services.inbox import FORBIDDEN, TURNED_AWAY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


class Answer(msgspec.Struct, frozen=True):
    """One answer.

    Attributes:
        status: the HTTP status.
        body: JSON.
        extra: headers beside those that every answer has.
    """

    status: int
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()

    def send(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer by way of WSGI."""
        status, headers, body = self.parts(environ["REQUEST_METHOD"] == "HEAD")
        start_response(_line(status), headers)
        return [body]

    def parts(self, is_head: bool = False) -> tuple[int, list[tuple[str, str]], bytes]:
        """The status, the headers and the body, of which a HEAD has none."""
        body = b"" if is_head else self.body
        headers = [("Content-Length", str(len(body))), *_HEADERS, *self.extra]
        return self.status, headers, body


@lru_cache
def _line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


@dataclass(frozen=True, slots=True)
class Manner:
    """How one kind of sender is answered.

    Attributes:
        forbidden: the answer to a secret that opens nothing.
        accepted: the body that says that so many events are committed, known ones among them.
        turned_away: the body that gives a reason, which the sender's log shows.
    """

    forbidden: Answer
    accepted: Callable[[int], bytes]
    turned_away: Callable[[int, str], bytes]

    def received(self, count: int) -> Answer:
        """200: so many events are committed."""
        return Answer(200, self.accepted(count))

    def refused(self, status: int, message: str, *extra: tuple[str, str]) -> Answer:
        """A call is turned away."""
        return Answer(status, self.turned_away(status, message), extra)

    def later(self, seconds: int, message: str) -> Answer:
        """503: nothing was stored; senders send it again by themselves."""
        return self.refused(503, message, ("Retry-After", str(seconds)))

    def only_post(self) -> Answer:
        """405: another method."""
        return self.refused(405, "only POST is allowed here", ("Allow", "POST"))

    def overloaded(self) -> Answer:
        """503: nothing of it was stored."""
        return self.later(5, "the event could not be stored now; nothing of it was kept, send it again")

    def paused(self) -> Answer:
        """503: the source's pause refuses."""
        return self.later(60, "this source is paused and receives nothing now; send it again later")


def _errors(_status: int, message: str) -> bytes:
    return msgspec.json.encode({"errors": [{"field": None, "message": message}]})


# The libraries take a code and a message out of it; one that finds no code there takes that for a failure of
# the network, and repeats for minutes what will never be let in.
_CODES = {401: "unauthorized", 413: "too_large", 503: "unavailable"}


def _failure(status: int, message: str) -> bytes:
    code = _CODES.get(status, "invalid_request")
    return msgspec.json.encode({"success": False, "code": code, "message": message})


def _unauthorized() -> Answer:
    status, message = TURNED_AWAY[KEY]
    return Answer(status, _failure(status, message), (("WWW-Authenticate", 'Basic realm="write key"'),))


DESTINATION = Manner(Answer(403, _errors(403, FORBIDDEN)), lambda count: b'{"received": %d}' % count, _errors)
"""Segment's destinations, and webhooks."""
LIBRARY = Manner(_unauthorized(), lambda _: b'{"success": true}', _failure)
"""Segment's libraries, and its HTTP API."""
BUSY = DESTINATION.later(5, "the server is busy; nothing was done, try again")
