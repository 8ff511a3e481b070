"""A sender at a steady rate, in a process of its own: `python -m bench.steady URL RATE SECONDS PEOPLE`."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from itertools import count
from urllib.parse import urlsplit

from bench import bodies

THREADS = 8
FIRST = 50_000_000  # the first number of its persons, whom nobody else tells of


def main(url: str, rate: float, seconds: float, people: int) -> None:
    """Send so many calls a second, each of one event, whatever the answers take; print how many arrived."""
    numbers, arrived = count(), count()
    senders = [
        threading.Thread(target=_send, args=(url, rate / THREADS, seconds, people, numbers, arrived))
        for _ in range(THREADS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    print(next(arrived))


def _send(
    url: str, rate: float, seconds: float, people: int, numbers: count[int], arrived: count[int]
) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    started = time.monotonic()
    for turn in range(int(rate * seconds)):
        time.sleep(max(0.0, started + turn / rate - time.monotonic()))
        number = next(numbers)
        body = bodies.contact(FIRST + number % people, number % 1000, bodies.START + number * bodies.SECOND)
        connection.request("POST", parts.path, bodies.encoded(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            next(arrived)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:4]), people=int(sys.argv[4]))
