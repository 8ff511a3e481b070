"""What the webhook answers: a status and a small JSON body, never a redirect, a cookie or a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webapp.services.inbox import FORBIDDEN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Answer:
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
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else self.body
        start_response(
            f"{self.status} {HTTPStatus(self.status).phrase}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                *self.extra,
            ],
        )
        return [body]


def received(count: int) -> Answer:
    """200: so many events are committed, those that were there before among them."""
    return Answer(200, b'{"received": %d}' % count)


def refused(status: int, message: str, *extra: tuple[str, str]) -> Answer:
    """An answer that turns a call away, in the form that Segment's destinations know."""
    return Answer(status, msgspec.json.encode({"errors": [{"field": None, "message": message}]}), extra)


def later(seconds: int, message: str) -> Answer:
    """503: nothing was stored; Segment sends it again by itself."""
    return refused(503, message, ("Retry-After", str(seconds)))


ACCESS_FORBIDDEN = refused(403, FORBIDDEN)
ONLY_POST = refused(405, "only POST is allowed here", ("Allow", "POST"))
OVERLOADED = later(5, "the event could not be stored now; nothing of it was kept, send it again")
BUSY = later(5, "the server is busy; nothing was done, try again")
PAUSED = later(60, "this source is paused and receives nothing now; send it again later")
