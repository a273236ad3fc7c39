"""The build file as its readers see it: whose it is, and the last day that its models cover."""

from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb

from dlt_pipelines.errors import NothingToPublish
from dlt_pipelines.quoting import text
from dlt_pipelines.settings import Settings
from dlt_pipelines.warehouse import explain


def read_as_of(settings: Settings) -> date:
    """The last UTC day that the build file's models cover, from intermediate.int_as_of.

    Raises NothingToPublish when dbt has not built it, Locked while another process writes the build file.
    """
    connection = attached(settings.warehouse)
    try:
        return subject(connection)[1]
    finally:
        connection.close()


def attached(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """The build file, read-only, under the name `warehouse` that views in it use."""
    if not warehouse.exists():
        raise NothingToPublish(
            f"{warehouse} does not exist; load first: `python -m dlt_pipelines load`, then `dbt build`."
        )
    connection = duckdb.connect()
    try:
        connection.execute(f"attach {text(str(warehouse))} as warehouse (read_only)")
    except duckdb.Error as error:
        connection.close()
        raise explain(warehouse, error) from error
    return connection


def subject(connection: duckdb.DuckDBPyConnection) -> tuple[str, date]:
    """Account and as-of date of the build."""
    try:
        row = connection.execute("select account_id, as_of from warehouse.intermediate.int_as_of").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[1] is None:
        raise NothingToPublish(
            "The warehouse has no as-of date, so its marts are not built; run `dbt build`, then this again."
        )
    return row[0], row[1]


def is_live(connection: duckdb.DuckDBPyConnection, account_id: str) -> bool | None:
    """The mode of what was loaded, from the account's own row; None when it was not loaded by this loader."""
    with suppress(duckdb.CatalogException):
        row = connection.execute(
            "select livemode from warehouse.raw_stripe.accounts where account_id = ? limit 1", [account_id]
        ).fetchone()
        return None if row is None else bool(row[0])
    return None
