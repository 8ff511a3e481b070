"""A sender that behaves as Segment does, and remembers what it was told.

It keeps some connections open, waits so long for an answer, sends the same body again after a refusal that
may pass (408, 423, 429, 5xx), a timeout or a broken connection, and drops it for good after any other.
Segment's pauses are minutes; these are fractions of a second, so that a test sees what hours would show.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Self

RETRIED = frozenset({408, 423, 429})  # and 500 to 599
LONGEST_PAUSE = 0.5  # seconds between two tries


def traffic(name: str, count: int, people: int = 40) -> Iterator[bytes]:
    """Bodies of one event each: identifies, groups and tracks of some people, every tenth sent twice.

    Args:
        name: goes into every message id, so that no two senders say the same.
        count: how many bodies, repeats included.
        people: who speak; each has something new to say every so many events.
    """
    for number in range(count):
        # A repeat differs in `sentAt` alone, as Segment's do: it is the very same event.
        told = number - 1 if number % 10 == 9 else number
        event = {"messageId": f"{name}-{told}", "userId": f"{name}-{told % people}", **_said(told)}
        # Out of order: a twentieth speaks of an hour ago.
        second = 5_000 + told - (3_600 if told % 20 == 7 else 0)
        event |= {"timestamp": f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"}
        yield json.dumps(event | {"sentAt": f"2026-03-02T00:00:{number % 60:02}Z"}).encode()


def _said(number: int) -> dict[str, object]:
    company = f"company {number % 7}"
    match number % 4:
        case 0:
            return {"type": "group", "groupId": company, "traits": {"name": company, "seats": number}}
        case 1:
            return {"type": "track", "event": "Clicked", "properties": {"clicks": number}}
        case 2:
            return {"type": "page", "name": "Home"}  # which nobody imports
    return {"type": "identify", "traits": {"firstName": f"Name {number}", "plan": ["a", "b"][number % 2]}}


class Sender:
    """Sends bodies until each was acknowledged or refused for good.

    Attributes:
        sent: all bodies that were put on the wire, as often as they were to be sent.
        acknowledged: events in answers of 200, per body.
        unsure: events of requests that went out and were not answered: the other side may have stored them.
        dropped: bodies that were refused for good, by status.
        failures: what made a try fail, counted: a status, or the kind of the error.
    """

    def __init__(
        self, *addresses: tuple[int, str], bodies: Iterable[bytes], connections: int = 8, timeout: float = 10
    ) -> None:
        """Args:
        addresses: (port, path) of this machine; a server that refuses the connection is passed over for
            the next, as a reverse proxy does.
        bodies: one event each.
        connections: that are open at once, each with a thread of its own.
        timeout: seconds of patience for an answer.
        """
        self.sent: list[bytes] = []
        self.acknowledged: Counter[bytes] = Counter()
        self.unsure = 0
        self.dropped: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self._addresses = addresses
        self._timeout = timeout
        self._bodies = deque(bodies)
        self._changed = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def start(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def wait(self, seconds: float = 60) -> Self:
        """Wait until everything is acknowledged or dropped; not to be done by then is a failure."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), f"not taken in: {self.failures}"
        return self

    @property
    def count(self) -> int:
        """Events that were acknowledged so far."""
        return self.acknowledged.total()

    def _run(self) -> None:
        line = _Line(self._addresses, self._timeout)
        while True:
            with self._changed:
                if not self._bodies:
                    break
                body = self._bodies.popleft()
                self.sent.append(body)
            self._deliver(line, body)
        line.close()

    def _deliver(self, line: _Line, body: bytes) -> None:
        pause = 0.02
        while True:
            status, received = self._try(line, body)
            if status == 200:
                with self._changed:
                    self.acknowledged[body] += received
                return
            if status and status not in RETRIED and status < 500:
                with self._changed:
                    self.dropped[status] += 1
                return
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _try(self, line: _Line, body: bytes) -> tuple[int, int]:
        """One request: its status, 0 without an answer, and how many events were received."""
        try:
            status, answer = line.post(body)
        except (OSError, http.client.HTTPException) as error:
            line.close()
            with self._changed:
                self.failures[type(error).__name__] += 1
                self.unsure += line.went_out
            return 0, 0
        if status != 200:
            with self._changed:
                self.failures[str(status)] += 1
            return status, 0
        return status, int(json.loads(answer)["received"])


class _Line:
    """One connection, opened again whenever it broke.

    Attributes:
        went_out: whether the last request may have reached a server.
    """

    def __init__(self, addresses: tuple[tuple[int, str], ...], timeout: float) -> None:
        self.went_out = False
        self._addresses = deque(addresses)
        self._timeout = timeout
        self._open: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        self.went_out = False
        connection = self._open or self._connect()
        self.went_out = True
        connection.request("POST", self._addresses[0][1], body)
        answer = connection.getresponse()
        said = answer.status, answer.read()
        if answer.will_close:
            self.close()
        return said

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connect(self) -> http.client.HTTPConnection:
        for _ in self._addresses:
            connection = http.client.HTTPConnection("127.0.0.1", self._addresses[0][0], timeout=self._timeout)
            try:
                connection.connect()
            except ConnectionRefusedError:
                self._addresses.rotate()
                continue
            self._open = connection
            return connection
        raise ConnectionRefusedError


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for something that happens by itself; that it does not is a failure."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"in {seconds} seconds it did not come to this: {what}"
        time.sleep(0.02)
