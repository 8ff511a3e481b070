"""Answers that come later: what Granian is asked for beside WSGI, and what happens where it is missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from granian import wsgi
from granian.server import mp

from jobs import later


def server_with(wrapper: object) -> Any:
    """A module of Granian's that makes WSGI of calls in some way."""
    return SimpleNamespace(_wsgi_call_wrap=wrapper)


class Protocol:
    """Where Granian takes an answer."""

    def __init__(self) -> None:
        self.said: list[tuple[int, bytes]] = []

    def response_bytes(self, status: int, _headers: object, body: bytes) -> None:
        """One whole answer."""
        self.said.append((status, body))


def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """What is served by WSGI."""
    start_response("418 I'm a teapot", [])
    return [b"by WSGI"]


def test_this_granian_lets_answers_come_later():
    """The release that is installed has what is asked of it; the next one may not, and then this fails."""
    assert mp._wsgi_call_wrap is wsgi._callback_wrapper
    assert later.offer(lambda environ, respond: False, server_with(wsgi._callback_wrapper))


def test_a_call_that_is_taken_is_answered_by_whoever_took_it_and_any_other_by_wsgi():
    """Nothing is said before whoever took a call says it; one without a length may be read to its end."""
    kept: list[Any] = []

    def take(environ: dict[str, Any], respond: Any) -> bool:
        kept.append((environ["wsgi.input_terminated"], respond))
        return environ["PATH_INFO"] == "/ours"

    server = server_with(wsgi._callback_wrapper)
    assert later.offer(take, server)
    answer = server._wsgi_call_wrap(application, {}, None)
    ours, other = Protocol(), Protocol()
    answer(ours, {"PATH_INFO": "/ours"})
    answer(other, {"PATH_INFO": "/other"})
    assert (ours.said, other.said) == ([], [(418, b"by WSGI")])
    kept[0][1](200, [], b"later")
    assert ours.said == [(200, b"later")]
    assert kept[0][0] is True


def test_a_granian_without_it_serves_by_wsgi_alone():
    """Where it is missing or asks for something else nothing is changed, and calls wait in their threads."""

    def other(callback: object, options: object) -> object:
        return callback

    for server in (SimpleNamespace(), server_with(other)):
        before = dict(vars(server))
        assert not later.offer(lambda environ, respond: True, server)
        assert vars(server) == before
