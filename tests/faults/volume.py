"""A small disk of a test's own, which can be full, or read-only."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Volume:
    """A file system in memory with a limit, mounted at a folder.

    Attributes:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tributary-tests", str(folder))

    def fill(self) -> None:
        """Leave not a byte, until `empty`; whoever writes hears ENOSPC."""
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self) -> None:
        """Give the space back."""
        self._ballast.unlink()

    def allow_writing(self, may: bool) -> bool:
        """Say whether it can be written; False where somebody still has a file open for that."""
        remount = ["mount", "-o", f"remount,{'rw' if may else 'ro'}", str(self.folder)]
        return subprocess.run(remount, check=False, capture_output=True).returncode == 0

    def close(self) -> None:
        """Unmount it, whoever still uses it."""
        _run("umount", "--lazy", str(self.folder))


@contextmanager
def mounted(megabytes: int) -> Iterator[Volume]:
    """A volume of so many megabytes, as long as the block lasts."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk to fill")
    with tempfile.TemporaryDirectory(prefix="tributary-volume-") as folder:
        volume = Volume(Path(folder), megabytes)
        try:
            os.chmod(folder, 0o755)  # PostgreSQL's user has to find its way
            yield volume
        finally:
            volume.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
