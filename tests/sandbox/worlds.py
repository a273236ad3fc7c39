"""Seeded companies for tests: seed, open again, and copies whose futures can be compared."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox import engine, state
from sandbox.clock import DAY
from sandbox.company_file import Company, check, read_company
from sandbox.state import COMPANY_FILE
from sandbox.store import Store
from sandbox.world_company import SeededCompany

SMALL = """
[currencies]
gbp = 1
[plans.pro]
name = "Pro"
rank = 1
fee = { gbp = 9900 }
included = 200000
overage = [{ gbp = "0.2" }]
[addons]
seat = { gbp = 1000 }
compute_second = { gbp = "0.003" }
storage = [{ gbp = "7" }]
[segments.agency]
share = 3
plans = { pro = 1 }
hazard = 0.03
[segments.school]
share = 1
plans = { pro = 1 }
hazard = 0.01
season = 0.5
[elasticity]
api_calls = -0.8
[behaviour]
welcome = 0
"""


def default() -> Company:
    """The repository's company, free to be changed."""
    return read_company(COMPANY_FILE)


def changed(**tables: dict[str, Any]) -> Company:
    """The repository's company with some keys of some tables set."""
    company = default()
    for name, keys in tables.items():
        company[name] = company[name] | keys
    return check(company)


def seeded(folder: Path, *, customers: int = 30, months: int = 6, seed: int = 7, company: Path | None = None) -> Path:
    """A state folder with a company of its own."""
    folder.mkdir(parents=True)
    state.seed(folder, customers=customers, months=months, seed=seed, company=company)
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Store, SeededCompany]]:
    """The store of a folder and its company, closed afterwards."""
    store = state.open_store(folder)
    assert isinstance(store.world, SeededCompany)
    try:
        yield store, store.world
    finally:
        store.db.close()


def copied(folder: Path, to: Path) -> Path:
    """A copy of a state folder, for another future."""
    return Path(shutil.copytree(folder, to))


def later(store: Store, days: int) -> None:
    """Move the account's clock on."""
    engine.advance(store, store.now + days * DAY)


def contents(folder: Path) -> list[str]:
    """Everything a state holds, as SQL."""
    with opened(folder) as (store, _):
        return list(store.db.iterdump())
