"""What is wrong with this installation, and how to mend it: checks that look and change nothing.

A check yields findings. One that fails itself is a finding too, so a broken part never hides the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, a few words.
        status: `ok`, `warning` or `problem`.
        message: what was found.
        fix: what to do; empty when nothing needs doing.
    """

    check: str
    status: str
    message: str
    fix: str = ""


Check = Callable[[], Iterable[Finding]]


def run(checks: Iterable[Check]) -> Iterator[Finding]:
    """The findings of some checks, one check after the other.

    Args:
        checks: functions without arguments; the name of one names it when it fails.
    """
    for check in checks:
        try:
            yield from check()
        except Exception as error:
            name = str(getattr(getattr(check, "func", check), "__name__", "checkup"))
            yield Finding(
                name.replace("_", " ").capitalize(),
                PROBLEM,
                f"This could not be looked at ({type(error).__name__}).",
                "Mend the problems above first, then run doctor again.",
            )
