"""A small HTTP server that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """One answer.

    Attributes:
        status: of the answer; 0 closes the connection without one.
        headers: beside the length.
        delay: seconds before it.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass
class Request:
    """What was asked.

    Attributes:
        method: such as `POST`.
        path: with the query.
        headers: as they came.
        body: inflated where it came compressed.
        at: seconds on a clock that only goes forward.
        connection: number of the connection it came over.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int


class Receiver:
    """What a test gives and looks at.

    Attributes:
        url: where to post.
        requests: all that came, in their order.
    """

    def __init__(self, url: str, answer: Callable[[int, Request], Reply]) -> None:
        self.url = url
        self.requests: list[Request] = []
        self._answer = answer
        self._lock = threading.Lock()

    def take(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        return self._answer(number, request)

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]


@contextmanager
def receiving(answer: Callable[[int, Request], Reply] = lambda *_: Reply()) -> Iterator[Receiver]:
    """A server on the loopback, as long as the block lasts.

    Args:
        answer: is given the number of the request, from 1, and the request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a head and its body leave at once

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = Request(
                self.command, self.path, dict(self.headers), body, time.monotonic(), self.client_address[1]
            )
            reply = receiver.take(request)
            time.sleep(reply.delay)
            if not reply.status:
                self.close_connection = True
                return
            text = b'{"received": 1}'
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a sender that gave up is what some tests are about

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook?a=1", answer)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
