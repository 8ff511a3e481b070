"""Sends events as Segment does: a POST each, ten seconds of patience, and retries for hours.

What was refused for good is dropped; what may still succeed is tried again, later each time. Requests wait
for their next try in a heap, not in a thread, so one that is refused does not hold up those behind it.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from webapp.services.archives import Archive, Parcel
from webapp.services.post import Address, Answer, Poster

RETRIED = frozenset({408, 423, 429})  # and 500 to 599
MOST_WAITING = 1000  # parcels that wait for another try before no new ones are begun
LONGEST_PAUSE = 300.0  # seconds between two tries, unless the receiver asks for more
EXAMPLES = 3  # lines named for each reason


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sender goes about it.

    Attributes:
        connections: requests that are under way at once.
        timeout: seconds that one request may take.
        patience: seconds after its first try for which a request is tried again; Segment's are four hours.
        first_pause: seconds before the first retry; each further pause is twice as long.
        gzip: whether bodies are compressed.
    """

    connections: int = 4
    timeout: float = 10.0
    patience: float = 4 * 3600
    first_pause: float = 1.0
    gzip: bool = False


@dataclass(slots=True)
class Report:
    """What became of the events, in counts of events unless said otherwise.

    Attributes:
        total: events that were to be sent.
        sent: events that left at least once.
        accepted: answered with 200 to 299.
        dropped: refused for good, by reason.
        undelivered: given up after the last try, by what that ended with.
        requests: HTTP requests made, retries included.
        retries: retries made, by what made them necessary.
        under_way: events that were sent, and neither accepted nor lost when the sender was stopped.
        examples: lines of the file, for each reason of what was dropped or given up.
    """

    total: int
    sent: int = 0
    accepted: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    examples: dict[str, list[int]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every event was accepted."""
        return self.accepted == self.total


@dataclass(slots=True)
class _Try:
    parcel: Parcel
    number: int = 0
    until: float = 0.0


class Sender:
    """Sends one archive. `start`, look at `report` and `wait`, and `stop` if it is to end early."""

    def __init__(self, archive: Archive, address: Address, manner: Manner) -> None:
        """Args:
        archive: what to send.
        address: where to.
        manner: how.
        """
        self.report = Report(len(archive))
        self._address = address
        self._manner = manner
        self._fresh: Iterator[Parcel] = archive.parcels()
        self._exhausted = False
        self._later: list[tuple[float, int, _Try]] = []
        self._ticket = itertools.count()
        self._busy = 0
        self._stopped = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"sender {number}", daemon=True)
            for number in range(manner.connections)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is settled, for so long at most; whether it is.

        Raises:
            OSError: the archive cannot be read any more.
        """
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        if self._failure is not None:
            raise self._failure
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Begin nothing new. What is under way is still waited for; see `wait`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def counts(self) -> tuple[int, int, int]:
        """(events accepted, events dropped or given up, events that wait for another try), at this moment."""
        with self._changed:
            lost = self.report.dropped.total() + self.report.undelivered.total()
            return self.report.accepted, lost, sum(each.parcel.events for _, _, each in self._later)

    def settle(self) -> Report:
        """The report, with what was still under way when the sender was stopped."""
        with self._changed:
            settled = self.report.accepted + self.report.dropped.total() + self.report.undelivered.total()
            self.report.under_way = self.report.sent - settled
            return self.report

    def _run(self) -> None:
        poster = Poster(self._address, self._manner.timeout, self._manner.gzip)
        try:
            while (attempt := self._next()) is not None:
                self._judge(attempt, poster.post(attempt.parcel.body))
        except BaseException as error:
            self._failure = error
            self.stop()
        finally:
            poster.close()

    def _next(self) -> _Try | None:
        """The request to make now, waiting for it if need be; None when there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                if self._later and self._later[0][0] <= time.monotonic():
                    attempt = heapq.heappop(self._later)[2]
                elif len(self._later) < MOST_WAITING and (parcel := self._draw()) is not None:
                    attempt = _Try(parcel, until=time.monotonic() + self._manner.patience)
                    self.report.sent += parcel.events
                elif self._later:
                    self._changed.wait(max(0.0, self._later[0][0] - time.monotonic()))
                    continue
                elif self._busy:
                    self._changed.wait()
                    continue
                else:
                    return None
                self._busy += 1
                return attempt
            return None

    def _draw(self) -> Parcel | None:
        if self._exhausted:
            return None
        parcel = next(self._fresh, None)
        self._exhausted = parcel is None
        return parcel

    def _judge(self, attempt: _Try, answer: Answer) -> None:
        """Settle a request, or put it aside for another try."""
        with self._changed:
            self._busy -= 1
            self.report.requests += 1
            parcel, status = attempt.parcel, answer.status
            if status is not None and 200 <= status < 300 and not answer.redirected:
                self.report.accepted += parcel.events
            elif not _is_retried(answer):
                self._lose(self.report.dropped, parcel, answer.reason)
            else:
                self._put_aside(attempt, answer)
            self._changed.notify_all()

    def _put_aside(self, attempt: _Try, answer: Answer) -> None:
        left = attempt.until - time.monotonic()
        pause = min(LONGEST_PAUSE, self._manner.first_pause * 2.0**attempt.number)
        pause = min(left, random.uniform(pause / 2, pause))  # noqa: S311  only so that not all come at once
        if answer.retry_after is not None:
            pause = max(pause, answer.retry_after)
        if left <= 0 or pause > left:
            self._lose(self.report.undelivered, attempt.parcel, answer.reason)
            return
        self.report.retries[answer.reason] += 1
        attempt.number = min(attempt.number + 1, 60)
        heapq.heappush(self._later, (time.monotonic() + pause, next(self._ticket), attempt))

    def _lose(self, where: Counter[str], parcel: Parcel, reason: str) -> None:
        where[reason] += parcel.events
        named = self.report.examples.setdefault(reason, [])
        if len(named) < EXAMPLES and parcel.line not in named:
            named.append(parcel.line)


def _is_retried(answer: Answer) -> bool:
    return answer.status is None or answer.status in RETRIED or 500 <= answer.status < 600
