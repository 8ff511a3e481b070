"""One request by itself, beside what senders send."""

from __future__ import annotations

import http.client
from contextlib import closing
from email.message import Message


def turned_away(address: tuple[int, str], body: bytes) -> bool:
    """Whether a call is turned away until later, in the way that makes a sender come again: 503, and when."""
    status, headers = ask("POST", *address, body)
    assert status in (200, 503)
    assert status == 200 or int(headers["Retry-After"]) > 0
    return status == 503


def ask(method: str, port: int, path: str, body: bytes | None = None) -> tuple[int, Message]:
    """The status and the headers of an answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
