"""Large things are handed to another process, and neither waits for the other."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from webapp.services.handing import hand, take

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a socket; neither waits for more than a moment."""
    one, other = socket.socketpair()
    with one, other:
        for end in (one, other):
            end.settimeout(0.2)
        yield one, other


def test_what_nobody_takes_yet_waits_in_the_order_in_which_it_was_handed(ends: Ends) -> None:
    """Much more than a socket holds is on its way, and who handed it goes on."""
    things = [(number, b"x" * 3_000_000, {"rows": [None, 1.5]}) for number in range(3)]
    for thing in things:
        hand(ends[0], thing)
    assert [take(ends[1]) for _ in things] == things


def test_who_is_handed_nothing_hears_of_it(ends: Ends) -> None:
    """One who is silent is told apart from one who is gone; what was handed before is still there."""
    with pytest.raises(TimeoutError):
        take(ends[1])
    hand(ends[0], "last")
    ends[0].close()
    assert take(ends[1]) == "last"
    with pytest.raises(EOFError):
        take(ends[1])
    with pytest.raises(OSError, match="pipe"):
        hand(ends[1], "nobody")
