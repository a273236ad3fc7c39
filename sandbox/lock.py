"""One process at a time may change a state folder: the server, `seed` or `advance`."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import StateLocked, StateUnwritable


@contextmanager
def hold(state: Path) -> Iterator[None]:
    """Hold `state/lock` while the body runs; the folder is made if missing.

    Raises StateLocked, naming the PID, when another process holds it, and StateUnwritable.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StateUnwritable(
            f"cannot write the sandbox's state folder {state} ({error.strerror}): set METERWISE_DATA to another"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StateLocked(
                f"the sandbox state {state} is in use by process {holder}: wait for it or stop it, then try again"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
