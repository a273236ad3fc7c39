"""A load that is killed at any moment costs nothing but time: nothing half-written shows, and the next one mends it.

`make soak-load` kills a hundred times.
"""

import os
import random
import shutil
import tempfile
from pathlib import Path

import duckdb
import pytest

from tests.dlt_pipelines.changes import CHANGES, IS_UNTOLD, UNTOLD, Changer
from tests.dlt_pipelines.killing import load_and_kill, moment_at, timeline
from tests.dlt_pipelines.proof import Proof, proving

KILLS = int(os.environ.get("METERWISE_SOAK_KILLS", "6")) // 2  # of first loads, and as many of later ones
PARTS = [(number + 0.5) / KILLS for number in range(KILLS)]
SPREAD = random.Random() if "METERWISE_SOAK_KILLS" in os.environ else random.Random(5)  # noqa: S311 - no secret

Rows = dict[str, set[tuple[object, ...]]]


def rows_in(data: Path, only_finished: bool = False) -> Rows:
    """Every raw row by table; or only those that a finished load has landed, which is what staging shows."""
    if not (data / "warehouse.duckdb").exists():
        return {}
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:  # as any next process would: the log is replayed
        names = "select table_name, list(column_name) from duckdb_columns() where schema_name = 'raw_stripe' group by 1"
        tables = {table: set(columns) for table, columns in connection.execute(names).fetchall()}
        found: Rows = {}
        for table, columns in tables.items():
            stamp = next(iter({"loaded_at", "first_seen_at"} & columns), None)
            if stamp is None or table.startswith(("_dlt", "load_")):
                continue
            finished = "false"
            if "load_report" in tables:
                finished = f"{stamp} <= (select max(loaded_at) from raw_stripe.load_report)"
            where = f"where {finished}" if only_finished else ""
            told = "id, version_hash, is_deleted, loaded_at" if "version_hash" in columns else "*"
            found[table] = set(connection.execute(f"select {told} from raw_stripe.{table} {where}").fetchall())
        return {table: found[table] for table in found if found[table]}


def change(proof: Proof, first: int, count: int) -> None:
    """So many changes that Stripe tells of, others for each `first`."""
    changer, told = Changer(proof.served), [name for name in CHANGES if name not in UNTOLD]
    for number in range(first, first + 617 * count, 617):
        changer.make(told[number % len(told)], number)


def prove_kill(source: Path, part: float, times: list[float]) -> bool:
    """Kill a load when `part` of its time has passed, and prove that it did no harm; False if it ended before."""
    data = Path(tempfile.mkdtemp(prefix="killed-"))
    try:
        with proving(source, data) as proof:
            before = rows_in(data)
            was_killed = load_and_kill(proof, moment_at(times, part))
            landed = rows_in(data)
            # all of it if the report had landed and the process only not ended yet, else nothing
            assert rows_in(data, only_finished=True) in (before, landed), "something half-written shows"
            change(proof, int(1000 * part), 12)  # what was half landed may be something else by now
            proof.load()
            assert [line for line in proof.differences() if not IS_UNTOLD.match(line)] == []
            after = rows_in(data, only_finished=True)
            lost = {table for table in landed if landed[table] - after.get(table, set())}
            assert not lost, "versions that had landed are gone"
            return was_killed
    finally:
        shutil.rmtree(data)


def prove_kills(source: Path, data: Path) -> None:
    """Kill loads of `source` all over the time that one takes; one that ended before is tried again, killed earlier."""
    times = measured(source, data)
    for part in PARTS:
        at = part + SPREAD.uniform(-0.4, 0.4) / KILLS
        for _ in range(5):
            if prove_kill(source, at, times):
                break
            at *= 0.7
        else:
            pytest.fail("every load ended before it was killed")


def measured(source: Path, data: Path) -> list[float]:
    with proving(source, data) as proof:
        return timeline(proof)


@pytest.fixture(scope="module")
def changed(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loaded account that has changed since."""
    data = tmp_path_factory.mktemp("changed")
    with proving(loaded, data) as proof:
        change(proof, 0, 80)
    return data


def test_a_first_load_that_is_killed_anywhere_is_mended_by_the_next(furnished: Path, tmp_path: Path) -> None:
    prove_kills(furnished, tmp_path / "measured")


def test_a_later_load_that_is_killed_anywhere_is_mended_by_the_next(changed: Path, tmp_path: Path) -> None:
    prove_kills(changed, tmp_path / "measured")
