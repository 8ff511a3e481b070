"""Archives of calls in the layout in which Segment keeps them, made up, of any size.

`.venv/bin/python -m bench.archive FOLDER [--calls N]` writes
`FOLDER/segment-logs/<source id>/<day as epoch milliseconds>/*.gz`, gzipped, one raw call a line. The same
arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from webapp.domain.clock import iso

SOURCE = "9tHqM2vXfK"
SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 20_454 * DAY  # 1 Jan 2026
PER_PERSON, PER_COMPANY = 20, 25
LINES = 25_000  # of one file
EVENTS = ("Signed Up", "Report Opened", "Invite Sent", "Plan Changed", "Export Finished")
FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Leslie", "Zoë")
LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Backus", "Lamport")
PLANS = ("free", "starter", "pro", "enterprise")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(write(asked.folder, asked.calls))


def write(folder: Path, calls: int, days: int = 30) -> Path:
    """Write an archive; the folder of its source, to be imported.

    Args:
        folder: into which.
        calls: how many.
        days: over which they are spread, from 1 January 2026 on.
    """
    home = folder / "segment-logs" / SOURCE
    home.mkdir(parents=True)
    (home / "dummy-object.txt").write_text("Segment tests with this file whether it may write here.\n")
    each = -(-calls // days)
    for day in range(days):
        place = home / str((START + day * DAY) // 1000)
        place.mkdir()
        numbers = range(day * each, min(calls, (day + 1) * each))
        for part in range(0, len(numbers), LINES):
            with gzip.open(place / f"{place.name}.{part // LINES}.{SOURCE}.gz", "wb", 5) as file:
                file.writelines(call(number, calls, days) + b"\n" for number in numbers[part : part + LINES])
    return home


def lines(calls: int, days: int = 30) -> Iterator[bytes]:
    """The calls of an archive, in its order."""
    for number in range(calls):
        yield call(number, calls, days)


def call(number: int, calls: int, days: int = 30) -> bytes:
    """One raw call of some 900 bytes, as Segment's libraries make them."""
    draw = random.Random(number)
    people = max(1, calls // PER_PERSON)
    person = draw.randrange(people)
    at = START + number * days * DAY // calls
    first, last = FIRST[person % len(FIRST)], LAST[person % len(LAST)]
    email = f"{first}.{last}.{person}@company{person // PER_COMPANY}.example".lower()
    body: dict[str, Any] = {
        "anonymousId": f"{person * 2654435761 % 2**32:08x}-5a1e-4b9d-8c2f-{person:012x}",
        "channel": "client",
        "context": {
            "ip": f"203.0.113.{person % 256}",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "locale": "en-GB",
            "page": {"path": "/reports", "url": f"https://app.tributary.example/reports?week={number % 52}"},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
        },
        "integrations": {},
        "messageId": f"ajs-next-{at // 1000}-{number:08x}",
        "originalTimestamp": iso(at - SECOND),
        "receivedAt": iso(at + SECOND),
        "sentAt": iso(at),
        "timestamp": iso(at),
        "userId": f"u_{person:08}",
    }
    return _encoded(body | _told(draw, number, person, email, f"{first} {last}"))


def _told(draw: random.Random, number: int, person: int, email: str, name: str) -> dict[str, Any]:
    kind = draw.random()
    if kind < 0.15:
        company = person // PER_COMPANY
        traits = {
            "name": f"Company {company} Incorporated",
            "website": f"https://www.company{company}.example",
            "employees": 10 + company % 500,
            "plan": PLANS[(company + number) % len(PLANS)],
        }
        return {"type": "group", "groupId": f"org_{company:06}", "traits": traits}
    if kind < 0.40:
        traits = {"email": email, "name": name, "title": "Head of Operations", "logins": number % 977}
        return {"type": "identify", "traits": traits}
    if kind < 0.90:
        event = EVENTS[draw.randrange(len(EVENTS))]
        properties = {"report": f"weekly-{number % 53}", "seconds": round(draw.random() * 60, 2)}
        return {"type": "track", "event": event, "properties": properties}
    return {"type": "page", "name": "Reports", "properties": {"path": "/reports"}}


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
