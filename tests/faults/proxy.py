"""A TCP proxy that does to connections what networks do: cuts, stalls, delays, swallows, refuses, and heals.

It stands before anything that speaks over a socket: the web server, the queue's server, PostgreSQL.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

Upstream = int | str  # a port of this machine, or the path of a Unix socket
# Closing then sends a reset, as a machine that lost the connection does, and no farewell.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """One way to a server. `healthy` at first; each fault lasts until `heal`.

    Attributes:
        port: where it listens.
        url: of the same, for `REDIS_URL`.
        delayed: pieces that it held up so far.
    """

    def __init__(self, upstream: Upstream) -> None:
        """Args:
        upstream: where healthy connections lead.
        """
        self._upstream = upstream
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self.delayed = 0
        self._delay = 0.0
        self._swallowed: frozenset[str] = frozenset()
        self._ended = False

    def cut(self) -> None:
        """Reset every connection that is open; new ones are as before."""
        for pair in list(self._pairs):
            self._end(pair)

    def refuse(self) -> None:
        """Nobody listens any more, and what is open is cut: the server is down."""
        # A thread that waits in accept() keeps a closed listener alive; this wakes it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def stall(self) -> None:
        """Nothing moves, on old connections or new; what was on its way arrives when it heals."""
        self._flowing.clear()

    def swallow(self) -> None:
        """A black hole: connections are taken, and what is sent is lost without a word."""
        self._swallowed = frozenset({"there", "back"})

    def lose_answers(self) -> None:
        """What is asked arrives, and what is answered is lost."""
        self._swallowed = frozenset({"back"})

    def delay(self, seconds: float) -> None:
        """Every piece takes so much longer, in each direction."""
        self._delay = seconds

    def heal(self) -> None:
        """All is well again. Connections that lost bytes are cut, since they make no sense any more."""
        self._delay = 0.0
        if self._swallowed:
            self._swallowed = frozenset()
            self.cut()
        self._flowing.set()
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)
            self.start()

    def start(self) -> None:
        """Listen."""
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """End it, and all that runs over it."""
        self._ended = True
        self._flowing.set()
        self.refuse()

    def _listen(self, port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), backlog=256)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        """Connect a client with the server, and carry what either says."""
        self._flowing.wait()
        try:
            server = _connected(self._upstream)
        except OSError:
            _close(client)
            return
        pair = client, server
        self._pairs.add(pair)
        if self._ended:
            self._end(pair)
        back = threading.Thread(target=self._carry, args=(server, client, "back", pair), daemon=True)
        back.start()
        self._carry(client, server, "there", pair)

    def _carry(
        self, come: socket.socket, go: socket.socket, way: str, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := come.recv(65536):
                if self._delay:
                    self.delayed += 1
                    time.sleep(self._delay)
                self._flowing.wait()
                if way not in self._swallowed:
                    go.sendall(piece)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for one in pair:
            _close(one)


@contextmanager
def before(upstream: Upstream) -> Iterator[Proxy]:
    """A proxy before a server, as long as the block lasts."""
    proxy = Proxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()


def _connected(upstream: Upstream) -> socket.socket:
    if isinstance(upstream, int):
        return socket.create_connection(("127.0.0.1", upstream), timeout=None)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(upstream)
    except OSError:
        server.close()
        raise
    return server


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        if one.family != socket.AF_UNIX:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Who waits for it in another thread is woken by this alone.
        one.shutdown(socket.SHUT_RDWR)
    one.close()
