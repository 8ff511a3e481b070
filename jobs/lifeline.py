"""A child that ends when its parent does, so that a killed supervisor leaves nothing running behind."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec is no place to load a library.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Ask the kernel to send this process SIGTERM when its parent ends, in whatever way it ends.

    Linux only; elsewhere this does nothing, and the children of a supervisor that was killed outright have
    to be stopped by hand.

    Args:
        parent: process id of the parent, as the parent knows it.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        # The parent ended before the line above could say so.
        os.kill(os.getpid(), signal.SIGTERM)
