"""Answers that come later: what WSGI has no word for, and Granian can do.

In WSGI a thread answers by returning, so that every call of the webhook holds one until its commit, and
thirty of them push each other aside at each turn of Python's lock. What Granian makes a WSGI call of has an
object that takes the answer, whenever and from whichever thread. This hands that object on.

It is not part of what Granian promises. Where it is missing or different, calls wait in their threads, as
WSGI has it: nothing is lost but speed, and `tests/operations/test_later.py` tells.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from granian.server import mp

_WRAPPER = "_wsgi_call_wrap"
_KNOWN = ["callback", "scope_opts", "access_log_fmt"]

Take = Callable[[dict[str, Any], Callable[[int, list[tuple[str, str]], bytes], None]], bool]


def offer(take: Take, server: ModuleType = mp) -> bool:
    """Let calls be taken that are answered later; to be called in the serving process before it serves.

    Args:
        take: is given the environment of a call and what takes its answer (status, headers, body); says
            whether it took the call.
        server: Granian's.

    Returns:
        Whether this Granian can do it.
    """
    plain = getattr(server, _WRAPPER, None)
    if plain is None or list(inspect.signature(plain).parameters) != _KNOWN:
        return False

    def wrap(callback: Any, scope_opts: Any, access_log_fmt: Any = None) -> Callable[[Any, Any], Any]:
        by_wsgi = plain(callback, scope_opts, access_log_fmt)

        def answer(protocol: Any, environ: dict[str, Any]) -> None:
            environ["wsgi.input_terminated"] = True  # a body without a length ends where it ends
            if not take(environ, protocol.response_bytes):
                by_wsgi(protocol, environ)

        return answer

    setattr(server, _WRAPPER, wrap)
    return True
