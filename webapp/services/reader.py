"""The process that reads batches for another: `python -m webapp.services.reader FD`.

It knows the domain alone, opens no database, and ends when the socket does that it was given.
"""

from __future__ import annotations

import pickle
import signal
import socket
import sys

from webapp.domain import mapping
from webapp.domain.batch import hear_and_say


def main(descriptor: int) -> None:
    """Answer one batch after the other, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; who asks has heard it too
    with socket.socket(fileno=descriptor) as asker, asker.makefile("rwb") as line:
        try:
            while True:
                events, rules = pickle.load(line)  # noqa: S301  # of our own parent
                pickle.dump(hear_and_say(events, mapping.of(rules)), line, pickle.HIGHEST_PROTOCOL)
                line.flush()
        except (EOFError, OSError):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
