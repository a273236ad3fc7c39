"""The state after a whole run, backed up and restored elsewhere: raw rows, scores, models and ledger are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from tests.commands import module


def raw(data: Path) -> dict[str, Any]:
    """Number, order and content of the rows of every raw table that a backup covers."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name in ('raw_stripe', 'raw_usage')"
        ).fetchall()
        return {
            table: warehouse.execute(f"select count(*), bit_xor(hash(rowid, t)) from {table} t").fetchone()
            for (table,) in tables
        }


def test_a_whole_state_is_restored_elsewhere_and_the_ledger_passes_its_audit(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    data, elsewhere, file = copy_of(first_run[0]), tmp_path / "elsewhere", tmp_path / "b.tar"
    planned = module(data, "actions", "plan")
    assert planned.returncode == 0, planned.stderr

    for command in (("backup", "--to", str(file)), ("restore", str(file))):
        done = module(data if command[0] == "backup" else elsewhere, "dlt_pipelines", *command)
        assert done.returncode == 0, done.stderr

    assert raw(elsewhere) == raw(data)
    assert len(raw(data)) > 20
    for kept in ("scores", "mlflow-artifacts"):
        paths = [path.relative_to(data) for path in (data / kept).rglob("*") if path.is_file()]
        assert paths
        assert [path for path in paths if (data / path).read_bytes() != (elsewhere / path).read_bytes()] == []
    audited = module(elsewhere, "actions", "verify")
    assert (audited.returncode, audited.stdout) == (0, module(data, "actions", "verify").stdout)
