"""Python's search for circular garbage, kept short in a process that serves or works."""

from __future__ import annotations

import gc


def wait() -> None:
    """Look for none until `settle`: a program that loads makes next to none, and takes a quarter longer."""
    gc.disable()


def settle() -> None:
    """Take all that there is now for lasting, once a program is loaded.

    Now and then Python looks through everything it holds for circles that nobody needs, and all threads wait:
    70 ms for the modules of the web server alone, in the middle of somebody's page. What is loaded stays to
    the end, so from now on only what came since is looked through.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
