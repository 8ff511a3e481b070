"""The web server: `python -m jobs.web`.

Granian buffers slow clients in Rust and hands whole requests to a fixed number of Python threads.
"""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from jobs import later
from jobs.lifeline import die_with_parent
from webapp import garbage
from webapp.config import Settings

_ROOT = Path(__file__).resolve().parents[1]
_GRACE = 20  # seconds in which requests that have begun are finished
_STOPS = (signal.SIGTERM, signal.SIGINT)


def load() -> Callable[..., Any]:
    """Import the application inside the serving process, which must not outlive the one that started it."""
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        die_with_parent(parent.pid)
    garbage.wait()
    from wsgi import app, webhook  # which settles it

    later.offer(webhook.take)
    return app


def stop_while_starting() -> None:
    """Let a serving process that is told to stop before it serves end at once.

    A fork has Granian's handlers of the process above it, which do nothing there: what tells it to stop while
    it imports the application would be lost, and it would be killed after its whole grace, or, when the
    process above it is gone, serve on for nobody.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS),
        after_in_child=_end_when_told,
    )


def _end_when_told() -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)


class _Server(MPServer):
    """Has all its serving processes listen on one socket.

    On Linux Granian gives each its own: when the old process ends before the new one has imported the
    application nobody listens, and what waits on the old one's socket is cut. On one that is shared it waits.
    This is not part of what Granian promises; `tests/faults/test_web_server.py` tells when it is otherwise.
    """

    def _init_shared_socket(self) -> None:
        super()._init_shared_socket()
        wanted: Any = getattr(self, "_ssp", None)
        if wanted is not None and getattr(self, "_shd", None) is None:
            shared = wanted.build()
            listening = socket.socket(fileno=shared.get_fd())
            listening.set_inheritable(True)
            self.__dict__.update(_ssp=None, _shd=shared, _sfd=shared.get_fd(), _sso=listening)


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop.
    """
    settings = Settings.from_env()
    stop_while_starting()
    _Server(
        "wsgi:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.auto,
        websockets=False,
        workers=1,  # one process, one writer: events of all threads share its group commits
        blocking_threads=settings.web_threads,
        backlog=1024,
        respawn_failed_workers=True,
        workers_kill_timeout=_GRACE,
        # A webhook's URL is a secret; the application logs requests itself and knows what to hide.
        log_access=False,
        log_level=LogLevels.error,
        working_dir=_ROOT,
    ).serve(target_loader=load, wrap_loader=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
