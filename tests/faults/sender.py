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
PEOPLE = 25  # who speak in turn; no multiple of the kinds of events, so that each comes to all of them
THINGS = 20  # custom attributes that each speaks of, before somebody else takes their turn
OWN = "said"  # begins the names of these attributes; the value is the event's number


def traffic(name: str, count: int) -> Iterator[bytes]:
    """Events: identifies, groups and tracks of some people, every tenth sent twice.

    Each but those of pages, which nobody imports, says something that no other does: the files are not the
    same without it.

    Args:
        name: goes into every message id, so that no two senders say the same.
        count: how many, repeats included.
    """
    for number in range(count):
        # A repeat differs in `sentAt` alone, as Segment's do: it is the very same event.
        told = number - 1 if number % 10 == 9 else number
        event = {"messageId": f"{name}-{told}", **_said(name, told)}
        # Out of order: a twentieth speaks of an hour ago.
        second = 5_000 + told - (3_600 if told % 20 == 7 else 0)
        # A twentieth has no time of its own, so that it counts when it was received.
        if told % 20 != 11:
            time_of_day = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            event["timestamp"] = f"2025-03-01T{time_of_day}Z"
        yield json.dumps(event | {"sentAt": f"2025-03-02T00:00:{number % 60:02}Z"}).encode()


def _said(name: str, number: int) -> dict[str, object]:
    """What one says: its person speaks of another kind each time, and of another thing, then makes room."""
    times, person = divmod(number, PEOPLE)
    years, thing = divmod(times, THINGS)
    own = {f"{OWN} {thing}": number}
    event: dict[str, object] = {"userId": f"{name}-{years}-{person}"}
    match number % 4:
        case 0:
            # The four who might speak of one company at that time speak of other kinds.
            company = f"company {name}-{years}-{person // 4}"
            traits = {"name": company, "seats": number} | own
            return event | {"type": "group", "groupId": company, "traits": traits}
        case 1:
            return event | {"type": "track", "event": "Clicked", "properties": {"clicks": number} | own}
        case 2:
            return event | {"type": "page", "name": "Home"}
    traits = {"firstName": f"Name {number}", "plan": ["a", "b"][number % 2]} | own
    return event | {"type": "identify", "traits": traits}


class Sender:
    """Sends events until each was acknowledged or refused for good.

    Attributes:
        sent: events that were put on the wire at least once.
        acknowledged: how often each was answered with 200.
        unsure: events of requests that went out and were not answered: the other side may have stored them.
        dropped: requests that were refused for good, by status.
        failures: what made a try fail, counted: a status, or the kind of the error.
    """

    def __init__(
        self,
        *addresses: tuple[int, str],
        events: Iterable[bytes],
        together: int = 1,
        connections: int = 8,
        timeout: float = 10,
        pause: float = 0.0,
        keep: bool = True,
    ) -> None:
        """Args:
        addresses: (port, path) of this machine; a server that refuses the connection is passed over for
            the next, as a reverse proxy does.
        events: what to send.
        together: how many of them go in one body, as an array.
        connections: that are open at once, each with a thread of its own.
        timeout: seconds of patience for an answer.
        pause: seconds that each connection rests after a body.
        keep: whether a connection carries more than one request.
        """
        self.sent: list[bytes] = []
        self.acknowledged: Counter[bytes] = Counter()
        self.unsure = 0
        self.dropped: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self._pause = pause
        self._keep = keep
        self._events = deque(events)
        self._together = together
        self._changed = threading.Lock()
        self._lines = [_Line(addresses, timeout) for _ in range(connections)]
        self._threads = [threading.Thread(target=self._run, args=[line], daemon=True) for line in self._lines]

    def start(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def wait(self, seconds: float = 180) -> Self:
        """Wait until everything is acknowledged or dropped; not to be done by then is a failure."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        assert self.is_done, f"not taken in: {self.failures}"
        return self

    def stop(self) -> Self:
        """Begin nothing new; what was begun is still delivered."""
        with self._changed:
            self._events.clear()
        return self

    @property
    def is_done(self) -> bool:
        """Whether all is acknowledged or dropped."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def count(self) -> int:
        """Events that were acknowledged so far."""
        return self.acknowledged.total()

    @property
    def cuts(self) -> int:
        """Connections that were cut unanswered, whose request went to the other server at once."""
        return sum(line.cuts for line in self._lines)

    def _run(self, line: _Line) -> None:
        while True:
            with self._changed:
                events = [self._events.popleft() for _ in range(min(self._together, len(self._events)))]
                self.sent += events
            if not events:
                break
            self._deliver(line, events)
            if not self._keep:
                line.close()
            time.sleep(self._pause)
        line.close()

    def _deliver(self, line: _Line, events: list[bytes]) -> None:
        body = events[0] if self._together == 1 else b"[" + b",".join(events) + b"]"
        pause = 0.02
        while True:
            status = self._try(line, body, len(events))
            if status == 200:
                with self._changed:
                    self.acknowledged.update(events)
                return
            if status and status not in RETRIED and status < 500:
                with self._changed:
                    self.dropped[status] += 1
                return
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _try(self, line: _Line, body: bytes, count: int) -> int:
        """One request: its status, 0 without an answer."""
        try:
            status, answer = line.post(body)
        except (OSError, http.client.HTTPException) as error:
            line.close()
            with self._changed:
                self.failures[type(error).__name__] += 1
                self.unsure += count * line.went_out
            return 0
        if status != 200:
            with self._changed:
                self.failures[str(status)] += 1
        else:
            assert json.loads(answer) == {"received": count}
        return status


class _Line:
    """One connection, opened again whenever it broke; with two servers, a proxy that turns to the other.

    Attributes:
        went_out: whether the last request may have reached a server.
        cuts: how often it turned to the other server since it was cut.
    """

    def __init__(self, addresses: tuple[tuple[int, str], ...], timeout: float) -> None:
        self.went_out = False
        self.cuts = 0
        self._addresses = deque(addresses)
        self._timeout = timeout
        self._open: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer.

        A proxy asks the other server when a connection is cut before a word of an answer: the system had
        taken it in for a process that ended before it did. To ask twice stores once.
        """
        try:
            return self._ask(body)
        except (ConnectionResetError, BrokenPipeError):
            if len(self._addresses) == 1:
                raise
            self.cuts += 1
            self.close()
            self._addresses.rotate()
            return self._ask(body)

    def _ask(self, body: bytes) -> tuple[int, bytes]:
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
        for _ in range(len(self._addresses)):
            connection = http.client.HTTPConnection("127.0.0.1", self._addresses[0][0], timeout=self._timeout)
            try:
                connection.connect()
            except ConnectionRefusedError:
                self._addresses.rotate()
                continue
            self._open = connection
            return connection
        raise ConnectionRefusedError


def until(true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for something that happens by itself; that it does not is a failure."""
    end, pause = time.monotonic() + seconds, 0.01
    while not true():
        assert time.monotonic() < end, f"in {seconds} seconds it did not come to this: {what}"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.2)  # who looks takes time from those that are waited for
