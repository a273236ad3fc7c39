"""The state folder as a whole: made by `seed`, opened by everything else."""

import json
import os
from pathlib import Path

from sandbox import plants, shapes
from sandbox.billing import Engine
from sandbox.catalog import write_catalog
from sandbox.clock import WORLD_END
from sandbox.errors import StateUnwritable
from sandbox.population import Population, read_company
from sandbox.settings import COMPANY_FILE
from sandbox.store import Store

FILE = "sandbox.sqlite"


def seed(state: Path, *, customers: int, months: int, seed: int, empty: bool = False) -> None:
    """Write the state folder anew, under the caller's lock: whole or not at all (a new file is renamed into place)."""
    population = Population(read_company(COMPANY_FILE), seed, customers, months)
    arranged = {} if empty else plants.arrange(population)
    meta = {
        "seed": str(seed),
        "customers": str(customers),
        "months": str(months),
        "company": json.dumps(population.company),
        "plants": json.dumps(plants.to_plain(arranged)),
    }
    path = state / f"{FILE}.new"
    try:
        path.unlink(missing_ok=True)
        path.touch()
    except OSError as error:
        raise StateUnwritable(
            f"cannot write {path} ({error.strerror}): set METERWISE_DATA to a folder you can write"
        ) from error
    store = Store.create(path, meta)
    with store.transaction():
        store.now = population.start
        store.put(shapes.account(store.now))
        if not empty:
            write_catalog(store, population.company, store.now)
    engine = Engine(store, population, arranged)
    if not empty:
        with store.transaction():
            engine.schedule_signup(0)
    engine.advance(WORLD_END)
    store.db.close()
    for suffix in ("-wal", "-shm"):
        (state / f"{FILE}{suffix}").unlink(missing_ok=True)
    os.replace(path, state / FILE)


def exists(state: Path) -> bool:
    return (state / FILE).exists()


def open_store(state: Path, *, read_only: bool = False) -> Store:
    """The store of a seeded folder; raises StateMissing."""
    return Store.open(state / FILE, read_only=read_only)


def open_engine(store: Store) -> Engine:
    """The engine of a store, with the population it was seeded with."""
    company = json.loads(store.meta("company") or "{}")
    population = Population(company, store.seed, int(store.meta("customers") or 0), int(store.meta("months") or 1))
    return Engine(store, population, plants.from_plain(json.loads(store.meta("plants") or "[]")))
