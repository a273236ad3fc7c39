"""The state folder as a whole: made by `seed`, opened by everything else, and changed by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.clock import WORLD_END, history_start
from sandbox.errors import SandboxError, StateLocked
from sandbox.store import Store

HERE = Path(__file__).resolve().parent
REPOSITORY, COMPANY_FILE = HERE.parent, HERE / "company.toml"
FILE = "sandbox.sqlite"
ACCOUNT = "acct_1MeterwiseSandbox"


def data_folder() -> Path:
    """$METERWISE_DATA (default `data`), absolute: all that the sandbox reads of its environment."""
    return Path(os.environ.get("METERWISE_DATA") or "data").absolute()


def seed(
    state: Path, *, customers: int, months: int, seed: int, company: Path | None = None, empty: bool = False
) -> None:
    """Write the state folder anew, under the caller's lock: whole or not at all (a new file is renamed into place).

    company: a file like company.toml, which is the default. Raises SandboxError.
    """
    from sandbox import engine, objects

    world = None
    if not empty:
        from sandbox.world_company import new_company  # imported only where there is a company: numpy takes its time

        world = new_company(company or COMPANY_FILE, seed=seed, customers=customers, months=months)
    path = state / f"{FILE}.new"
    path.unlink(missing_ok=True)
    store = Store.create(path, {"seed": str(seed)})
    with store.transaction():
        engine.move(store, history_start(months))
        objects.create(store, "account", emits=False, id=ACCOUNT)
        if world is not None:
            world.begin(store)
    engine.advance(store, WORLD_END)
    store.db.close()
    for suffix in ("-wal", "-shm"):
        (state / f"{FILE}{suffix}").unlink(missing_ok=True)
    os.replace(path, state / FILE)


def open_store(state: Path, *, read_only: bool = False) -> Store:
    """The store of a seeded folder, with its company if it has one; raises SandboxError."""
    store = Store.open(state / FILE, read_only=read_only)
    if store.meta("company"):
        from sandbox.world_company import SeededCompany

        SeededCompany.open(store)
    return store


@contextmanager
def hold(state: Path) -> Iterator[None]:
    """Hold `state/lock` while the body runs; the folder is made if missing.

    Raises StateLocked, naming the PID, when another process holds it, and SandboxError.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        hint = "set METERWISE_DATA to a folder you can write"
        raise SandboxError(f"cannot write the sandbox's state {state} ({error.strerror}): {hint}") from error
    with os.fdopen(handle, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = file.read().strip() or "unknown"
            raise StateLocked(
                f"the sandbox state {state} is in use by process {holder}: wait for it, stop it, or name its --url"
            ) from error
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield
