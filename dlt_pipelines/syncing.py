"""What must be on the disk before anybody is told that it is."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Ask the disk to keep a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
