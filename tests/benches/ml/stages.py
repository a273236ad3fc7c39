"""The stages of `make run` on a sandbox company, without dbt's tests: what is measured here is what they make."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benches.measure import Used, run
from tests.commands import DBT_AT

NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
LOAD = ("sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "load")


def load_and_build(data: Path) -> None:
    """What is to be known before models see it."""
    run(data, *LOAD)
    run(data, "dlt_pipelines", "ledger")
    dbt(data, "--exclude", "tag:after_ml")


def dbt(data: Path, *arguments: str) -> Used:
    """One dbt pass."""
    return run(data, "dbt.cli.main", "--no-use-colors", "build", *DBT_AT, *NO_TESTS, *arguments)
