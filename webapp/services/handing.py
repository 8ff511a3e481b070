"""Handing something large to another process without waiting until it takes it.

It lies in a file in memory, and the socket carries that file's number alone; so both sides go on at once,
however much is on its way.
"""

from __future__ import annotations

import os
import pickle
import socket
import tempfile
from typing import IO, Any

_BUFFER = 1 << 20


def hand(line: socket.socket, thing: Any) -> None:
    """Give something to the process at the other end, which may read it whenever it likes.

    Args:
        line: a Unix socket.
        thing: whatever can be pickled.

    Raises:
        OSError: nobody is there any more.
    """
    with _file() as file:
        pickle.dump(thing, file, pickle.HIGHEST_PROTOCOL)
        file.flush()
        socket.send_fds(line, [b"."], [file.fileno()])


def take(line: socket.socket) -> Any:
    """What the process at the other end handed over next; waits for it as long as the socket does.

    The other process must be one of ours: what it says is trusted.

    Raises:
        EOFError: it is gone, and everything that it handed over was taken.
        OSError: it handed over nothing in time.
    """
    _, numbers, _, _ = socket.recv_fds(line, 1, 1)
    if not numbers:
        raise EOFError
    with open(numbers[0], "rb", buffering=_BUFFER) as file:
        file.seek(0)
        return pickle.load(file)  # noqa: S301


def _file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("handed"), "w+b", buffering=_BUFFER)
    return tempfile.TemporaryFile(buffering=_BUFFER)  # other systems than Linux
