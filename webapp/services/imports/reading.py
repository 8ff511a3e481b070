"""Reads the files of an import from any place on: calls, and what could not be read, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from webapp.config import Settings
from webapp.domain import wire
from webapp.services.imports.containers import Member, Opened, Unreadable
from webapp.services.imports.texts import Position, Text, texts

NOT_AN_OBJECT = "it is not a JSON object"
EMPTY = "it is an empty object"


class Place(NamedTuple):
    """Up to where files have been read."""

    file: int = 0
    """Place in the list of files."""
    member: int = 0
    """Number of the file inside it, from 0."""
    position: Position = Position()

    def dump(self) -> dict[str, Any]:
        """As the table `imports` keeps it."""
        return {"file": self.file, "member": self.member, "position": list(self.position)}

    @classmethod
    def load(cls, kept: dict[str, Any]) -> Place:
        """What `dump` made; the beginning, for an empty one."""
        if not kept:
            return cls()
        return cls(kept["file"], kept["member"], Position(*kept["position"]))


@dataclass(frozen=True, slots=True)
class File:
    """A file to read.

    Attributes:
        path: where it lies.
        name: what it is called.
        size: in bytes.
    """

    path: Path
    name: str
    size: int


class Piece(NamedTuple):
    """What one JSON text, or one file that cannot be read, comes to."""

    events: list[bytes]
    """The JSON text of each call in it."""
    problem: str
    """Why something of it cannot be read, or ""."""
    file: str
    line: int
    """From 1; 0 for a file as a whole."""
    place: Place
    """Where to go on after it."""


class Reader:
    """Reads files in their order. May be run through once."""

    def __init__(self, files: Sequence[File], place: Place, settings: Settings) -> None:
        """Args:
        files: always the same for one import.
        place: where to go on.
        settings: give the limits of a text and of a call: those of the webhook.
        """
        self._files = files
        self._begin = place
        self._settings = settings
        self._finished = sum(file.size for file in files[: place.file])
        self._opened: Opened | None = None

    @property
    def done(self) -> int:
        """Bytes of the files, as they lie on the disk, that have been read."""
        return self._finished + (self._opened.position if self._opened is not None else 0)

    def __iter__(self) -> Iterator[Piece]:
        place = self._begin
        for number in range(place.file, len(self._files)):
            file = self._files[number]
            if number > place.file:
                place = Place(number)
            try:
                self._opened = Opened(file.path, file.name)
            except OSError as error:
                reason = f"it cannot be opened ({error.strerror or 'not there'})"
                yield Piece([], reason, file.name, 0, Place(number + 1))
                continue
            try:
                yield from self._members(self._opened, place)
            finally:
                self._opened.close()
                self._opened = None
                self._finished += file.size

    def _members(self, opened: Opened, place: Place) -> Iterator[Piece]:
        for number, member in enumerate(opened.members()):
            after = Place(place.file, number + 1)
            if number < place.member:
                continue
            if member.error:
                yield Piece([], member.error, member.name, 0, after)
                continue
            begin = place.position if number == place.member else Position()
            line = begin.line
            try:
                for text in texts(member.stream, begin, self._settings.max_body_bytes):
                    line = text.line
                    yield self._piece(member, text, Place(place.file, number, text.after))
            except Unreadable as error:
                where = "" if line <= 1 else f"after line {line:,} "
                yield Piece([], f"{where}{error}", member.name, line if line > 1 else 0, after)

    def _piece(self, member: Member, text: Text, place: Place) -> Piece:
        events, problem = self._events(text.text)
        return Piece(events, problem, member.name, text.line, place)

    def _events(self, text: bytes | None) -> tuple[list[bytes], str]:
        """The calls of one text, as the webhook would take them."""
        if text is None:
            return [], f"it has more than {self._settings.max_body_bytes:,} bytes"
        try:
            parcel = wire.split(text)
        except wire.Refused as refused:
            return [], str(refused).replace("the body", "it")
        if parcel.is_test:
            return [], EMPTY
        most = self._settings.max_event_bytes
        if len(parcel.events) == 1 and parcel.events[0][:1] == b"{" and len(parcel.events[0]) <= most:
            return parcel.events, ""
        return self._checked(parcel.events, most)

    @staticmethod
    def _checked(events: list[bytes], most: int) -> tuple[list[bytes], str]:
        good = [event for event in events if event[:1] == b"{" and len(event) <= most]
        if len(good) == len(events):
            return good, ""
        too_long = any(len(event) > most for event in events)
        return good, f"a call has more than {most:,} bytes" if too_long else NOT_AN_OBJECT
