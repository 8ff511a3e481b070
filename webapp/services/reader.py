"""The process that reads batches for another: `python -m webapp.services.reader FD SECONDS`.

It knows the domain alone, opens no database, and ends when the socket does that it was given, or when it was
asked nothing for so many seconds.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from webapp.domain import mapping
from webapp.domain.batch import Heard, Said, Sent, hear_and_say
from webapp.domain.lately import Lately
from webapp.services.handing import hand, take
from webapp.services.pacing import collecting_later


def main(descriptor: int, idle: float) -> None:
    """Answer one batch after the other, until nobody asks any more.

    Args:
        descriptor: of a socket, over which batches and answers go.
        idle: seconds for which it waits to be asked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; who asks has heard it too
    lately = Lately()
    with suppress(EOFError, OSError), socket.socket(fileno=descriptor) as asker:
        asker.settimeout(idle)
        while True:
            question = take(asker)
            with collecting_later():
                hand(asker, _answer(lately, *question))
            del question  # or it would be there beside the next


def _answer(lately: Lately, source_id: int, events: Iterable[Sent], rules: Any) -> tuple[Heard, Said]:
    return hear_and_say(source_id, events, mapping.of(rules), lately)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
