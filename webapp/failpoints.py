"""Named places at which a test ends the process, as `kill -9` or a power cut would.

Nothing in the program can arm one: no setting is read here, no variable, no request. Only code calls `arm`,
and the only code that does stands in `tests/faults/`, which a test holds. So an installation passes every
place and stops at none, whatever its environment says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

# Every place there is, so that a test cannot wait for one that was renamed.
PLACES = frozenset(
    (
        # One transaction of the webhook's writer.
        *("ingest.before_commit", "ingest.after_commit"),
        # One batch of a drain; mid batch, persons are written and customers are not.
        *("drain.after_claim", "drain.mid_batch", "drain.before_commit", "drain.after_commit"),
        # One step of long work; mid batch, rows are written and the progress is not.
        *("resync.after_claim", "resync.mid_batch", "resync.before_commit", "resync.after_commit"),
        *("rebuild.after_claim", "rebuild.mid_batch", "rebuild.before_commit", "rebuild.after_commit"),
        *("rebuild.before_swap", "rebuild.mid_swap", "rebuild.after_swap"),
        *("deletion.after_claim", "deletion.mid_erase", "deletion.before_commit", "deletion.after_commit"),
        # One batch of an import; mid batch, calls are in the inbox and the place in the files is not kept.
        *("import.mid_batch", "import.before_commit", "import.after_commit", "import.before_clearing"),
        *("deletion.before_wiping", "deletion.after_wiping"),
        # One page of a billing file, or of an automation's pass; mid batch, its place is not kept yet.
        *("billing.mid_batch", "billing.before_commit", "billing.after_commit"),
        *("automation.mid_batch", "automation.before_commit", "automation.after_commit"),
    )
)

_armed: dict[str, int] = {}
_act: list[Callable[[str], None]] = []


def arm(places: Mapping[str, int], act: Callable[[str], None]) -> None:
    """Have something done at some places.

    Args:
        places: by name, the how-manieth time it is passed.
        act: what is done there, with the place's name.

    Raises:
        KeyError: there is no such place.
    """
    for place in places:
        if place not in PLACES:
            raise KeyError(place)
    _armed.clear()
    _armed.update(places)
    _act[:] = [act]


def reach(place: str) -> None:
    """Say that a place was come to. Nothing happens unless a test armed it."""
    if place not in _armed:
        return
    _armed[place] -= 1
    if _armed[place] == 0:
        _act[0](place)
