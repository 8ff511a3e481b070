"""Files of any size, written to the disk while they come in; nothing of them is held in memory.

The usual way of a form would first read it whole, token and all. Here the token is the first field, and is
looked at before a byte of a file is taken.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flask import current_app, request
from flask_wtf.csrf import CSRFError, validate_csrf
from werkzeug.exceptions import BadRequest
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData
from wtforms.validators import ValidationError

PIECE = 1 << 18
MOST_FILES = 1000
ROOM = 256 << 20
"""Bytes that an upload leaves free on the disk."""
_CUT_SHORT = "The upload ended before it was complete, so nothing of it was kept. Send the files again."


class Refused(ValueError):
    """An upload that cannot be taken; the text is for the person who sent it. Nothing of it is to be kept."""


def receive(folder: Path) -> list[tuple[str, int]]:
    """Write the files of this request's form into a folder, the first as `0`, the next as `1`, and so on.

    Args:
        folder: one that is there, and empty.

    Returns:
        (name as the sender calls it, bytes) of each, in their order; files without a byte are left out.

    Raises:
        Refused: no files, too many, no room for them, or the upload broke off.
        CSRFError: it does not come from a form of this browser's session.
    """
    _check_room(folder)
    kept: list[tuple[str, int]] = []
    target: BinaryIO | None = None
    name, size, trusted = "", 0, False
    try:
        for event in _events():
            if isinstance(event, File):
                _check_token(trusted)
                trusted = True
                if len(kept) == MOST_FILES:
                    raise Refused(
                        f"At most {MOST_FILES:,} files go up at once. Pack them into a zip or tar file."
                    )
                name, size = (event.filename or "").replace("\\", "/").rsplit("/", 1)[-1], 0
                target = open(folder / str(len(kept)), "wb")  # noqa: SIM115  closed with its last piece
            elif isinstance(event, Field):
                name, size, target = event.name, 0, None
            elif isinstance(event, Data) and target is not None:
                size += target.write(event.data)
                if not event.more_data:
                    target.close()
                    target = None
                    if size:
                        kept.append((name, size))
            elif isinstance(event, Data) and name == "csrf_token":
                _check(event.data.decode("utf-8", "replace"))
                trusted = True
    except (ValueError, BadRequest) as error:
        if isinstance(error, Refused | CSRFError):
            raise
        raise Refused(_CUT_SHORT) from None
    except OSError as error:
        raise Refused(f"The files could not be kept ({error.strerror or 'the disk failed'}).") from None
    finally:
        if target is not None:
            target.close()
    if not kept:
        raise Refused("Choose at least one file that is not empty.")
    return kept


def _events() -> Iterator[Event]:
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not boundary:
        _check_token(False)
        raise Refused("Choose at least one file that is not empty.")
    request.max_content_length = 1 << 62  # None would mean the limit of other forms
    decoder = MultipartDecoder(boundary.encode(), 4 * PIECE, max_parts=MOST_FILES + 8)
    while True:
        decoder.receive_data(request.stream.read(PIECE) or None)
        while not isinstance(event := decoder.next_event(), NeedData):
            if isinstance(event, Epilogue):
                return
            yield event


def _check_token(trusted: bool) -> None:
    if not trusted:
        _check(request.headers.get("X-CSRFToken", ""))


def _check(token: str) -> None:
    try:
        validate_csrf(token)
    except ValidationError as error:
        raise CSRFError(str(error)) from None


def _check_room(folder: Path) -> None:
    wanted, free = request.content_length or 0, shutil.disk_usage(folder).free
    if wanted + ROOM > free:
        current_app.logger.warning("upload refused: %d bytes asked for, %d free", wanted, free)
        raise Refused(
            f"These files take {wanted / 2**20:,.0f} MiB, and only {free / 2**20:,.0f} MiB are free where "
            "they would be kept. Make room, or import them from the command line: that copies nothing."
        )
