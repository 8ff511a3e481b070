"""The webhook: a small WSGI application in front of Flask, which never enters it.

It knows tokens, limits, inflating and where an event begins and ends; what an event says is read later, by
the worker. A call is turned away for the first of these: method, token, coding, size, form, signature. Where
only the body names the write key, that comes after the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import TYPE_CHECKING

from webapp.config import Settings
from webapp.services.ingest import Writer
from webapp.webhook import answers
from webapp.webhook.answers import Answer
from webapp.webhook.entrances import Entrance, entrance
from webapp.webhook.exchange import Desk, Exchange
from webapp.webhook.lanes import Full, Lane
from webapp.webhook.reading import checker
from webapp.webhook.threads import Threads
from webapp.webhook.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Respond = Callable[[int, list[tuple[str, str]], bytes], None]
"""Sends a status, headers and a body, from whichever thread calls it."""


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
        self._threads = threads
        self._desk = Desk(
            writer,
            known,
            checker(settings.secret_key),
            Lane(settings.web_threads * 5 // 8),
            Lane(settings.web_threads // 8),
            settings.max_body_bytes,
            settings.max_event_bytes,
        )
        self._forms = Lane(settings.web_threads // 4)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI, in which a thread has to wait for the answer it gives."""
        came_in = self._entrance(environ)
        if came_in is None:
            return self._pass_on(environ, start_response)
        said: SimpleQueue[Answer] = SimpleQueue()
        Exchange(self._desk, came_in, said.put).begin(environ)
        return said.get().send(environ, start_response)

    def take(self, environ: WSGIEnvironment, respond: Respond) -> bool:
        """Take a call that is answered once it is committed, while its thread goes on with the next.

        Args:
            environ: of WSGI.
            respond: called once, by the writer's thread perhaps.

        Returns:
            Whether it was taken; what is no call of the webhook is left to WSGI.
        """
        came_in = self._entrance(environ)
        if came_in is None:
            return False
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        Exchange(self._desk, came_in, lambda answer: respond(*answer.parts(is_head))).begin(environ)
        return True

    def _entrance(self, environ: WSGIEnvironment) -> Entrance | None:
        came_in = entrance(environ)
        if self._threads is not None:
            if came_in is None:
                self._threads.spread()
            else:
                self._threads.gather()
        return came_in

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._behind(environ, start_response)
        try:
            with self._forms:
                return self._behind(environ, start_response)
        except Full:
            return answers.BUSY.send(environ, start_response)
