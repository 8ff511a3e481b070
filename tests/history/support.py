"""Archives of calls in every form, and imports of them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.projection.support import make_source
from webapp.config import Settings
from webapp.database import writing
from webapp.domain.calls import Choice
from webapp.models import Event, Import, Source
from webapp.services.imports import asking, files, running
from webapp.services.imports.findings import Findings
from webapp.services.imports.reading import File, Piece, Place, Reader

DAY = 86_400_000_000
ALL = Choice()
START = 20_454 * DAY  # 1 Jan 2026


def identify(number: int, day: int = 0, **traits: Any) -> dict[str, Any]:
    """An identify call of a user of its own."""
    return _call("identify", number, day) | {"traits": {"email": f"u{number}@example.com", **traits}}


def group(number: int, day: int = 0, **traits: Any) -> dict[str, Any]:
    """A group call that puts a user into a company of three."""
    told = {"groupId": f"g{number // 3}", "traits": {"name": f"Company {number // 3}", **traits}}
    return _call("group", number, day) | told


def track(number: int, event: str = "Signed Up", day: int = 0, **properties: Any) -> dict[str, Any]:
    """A track call."""
    return _call("track", number, day) | {"event": event, "properties": properties}


def _call(type_: str, number: int, day: int) -> dict[str, Any]:
    timestamp = f"2026-01-{day + 1:02}T12:00:{number % 60:02}Z"
    return {
        "type": type_,
        "messageId": f"{type_}-{number}-{day}",
        "userId": f"u{number}",
        "timestamp": timestamp,
    }


def calls(count: int) -> list[dict[str, Any]]:
    """Calls of every kind, over ten days."""
    made: list[dict[str, Any]] = []
    for number in range(count):
        day = number * 10 // count
        kinds = (
            identify(number, day, plan="pro"),
            group(number, day),
            track(number, ("Signed Up", "Plan Changed")[number % 2], day, seats=number),
            _call("page", number, day) | {"name": "Home"},
        )
        made.append(kinds[number % 4])
    return made


def ndjson(events: Iterable[Any]) -> bytes:
    """One JSON text a line."""
    return b"".join((e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n" for e in events)


def zipped(files_: dict[str, bytes]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files_.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files_: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar file; `w:gz` packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files_.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def forms(events: list[dict[str, Any]]) -> dict[str, bytes]:
    """The same calls in every form that is taken."""
    lines, packed = ndjson(events), gzip.compress(ndjson(events))
    half = len(events) // 2
    halves = {"a/1.json": ndjson(events[:half]), "a/2.json.gz": gzip.compress(ndjson(events[half:]))}
    left = {"a/dummy-object.txt": b"a test\n", "__MACOSX/a/._1.json": b"\0\1", "a/.DS_Store": b"\0"}
    return {
        "lines": lines,
        "lines without an end, with a mark": b"\xef\xbb\xbf" + lines.rstrip(),
        "lines of Windows": lines.replace(b"\n", b"\r\n\r\n"),
        "batches": ndjson({"batch": events[n : n + 7]} for n in range(0, len(events), 7)),
        "array": json.dumps(events).encode(),
        "array, indented": json.dumps(events, indent=2).encode(),
        "arrays, one a line": ndjson(events[n : n + 7] for n in range(0, len(events), 7)),
        "objects, indented": b"\n".join(json.dumps(event, indent=2).encode() for event in events),
        "gzip": packed,
        "gzip of two members": gzip.compress(ndjson(events[:half])) + gzip.compress(ndjson(events[half:])),
        "gzip twice": gzip.compress(packed),
        "gzip of an array": gzip.compress(json.dumps(events).encode()),
        "zip": zipped(halves | left),
        "tar": tarred(halves | left),
        "tar.gz": tarred(halves | left, "w:gz"),
    }


def read(path: Path, settings: Settings, place: Place | None = None) -> list[Piece]:
    """What a reader makes of one file."""
    size = path.stat().st_size if path.exists() else 0
    return list(Reader([File(path, path.name, size)], place or Place(), settings))


def ask(engine: Engine, source_id: int, paths: Iterable[Path], choice: Choice | None = ALL) -> int:
    """Ask for an import of files that stay where they are; its id."""
    with Session(engine) as session, writing():
        given = files.in_place(paths)
        return asking.begin(session, session.get_one(Source, source_id), given, choice=choice).id


def bring(
    engine: Engine, settings: Settings, paths: Iterable[Path], choice: Choice = ALL, source_id: int = 0
) -> tuple[int, dict[str, int]]:
    """Import files; the source's id and the counts."""
    source_id = source_id or make_source(engine)
    asked = ask(engine, source_id, paths, choice)
    running.run(engine, asked, settings=settings)
    row = import_row(engine, asked)
    assert row.state == "done", row.error
    return source_id, row.counts


def import_row(engine: Engine, import_id: int) -> Any:
    """An import as the database has it."""
    with engine.connect() as connection:
        return connection.execute(select(Import.__table__).where(Import.id == import_id)).one()


def found(engine: Engine, import_id: int) -> Findings:
    """What an inspection has found."""
    return Findings.load(import_row(engine, import_id).found)


def bodies(engine: Engine, source_id: int) -> list[bytes]:
    """What is in a source's inbox, in the order of receipt."""
    with engine.connect() as connection:
        return list(
            connection.scalars(select(Event.body).where(Event.source_id == source_id).order_by(Event.id))
        )
