"""The warehouse, opened read-only: contracted relations in, frames out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from ml.errors import (
    ColumnsMissing,
    MlError,
    NotAnOrigin,
    NothingToDo,
    RelationMissing,
    RowsAfterAsOf,
    WarehouseLocked,
    WarehouseMissing,
)

HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


@contextmanager
def opened(path: Path, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect read-only.

    Raises WarehouseMissing, or WarehouseLocked naming the program and PID that DuckDB's message carries.
    """
    if not path.exists():
        raise WarehouseMissing(path)
    try:
        connection = duckdb.connect(str(path), read_only=True, config={"threads": threads})
    except duckdb.IOException as error:
        holder = HOLDER.search(str(error))
        if holder is None:
            raise MlError(f"{path} cannot be opened: {str(error).splitlines()[0]}. Check the file.") from error
        raise WarehouseLocked(path, f"{holder['program']} (PID {holder['pid']})") from error
    try:
        yield connection
    finally:
        connection.close()


def fetch(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], where: str, values: list[object]
) -> pd.DataFrame:
    """Rows of `relation` that meet `where`, with exactly the asked columns.

    columns: the relation's column -> the SQL expressions to select from it (several where an array is unpacked).
    Raises RelationMissing, or ColumnsMissing with every absent name.
    """
    present = _columns(connection, relation)
    missing = [name for name in columns if name not in present]
    if missing:
        raise ColumnsMissing(relation, missing)
    query = f"select {', '.join(columns.values())} from {relation} where {where}"  # noqa: S608 - names are our constants
    return connection.execute(query, values).fetch_df()


def built_as_of(connection: duckdb.DuckDBPyConnection) -> date:
    """The day the features were built for: the newest one marked `is_scoring`.

    Raises NothingToDo when there is none (an account with no customers).
    """
    days: list[date] = []
    for relation, column in (("features.usage_asof", "origin_date"), ("features.customer_asof", "as_of_date")):
        present = _columns(connection, relation)
        missing = [name for name in (column, "is_scoring") if name not in present]
        if missing:
            raise ColumnsMissing(relation, missing)
        query = f"select max({column}) from {relation} where is_scoring"  # noqa: S608 - names are our constants
        days += [row[0] for row in connection.execute(query).fetchall() if row[0] is not None]
    if not days:
        raise NothingToDo("The warehouse has no usage and no customers to score: nothing was written.")
    return max(days)


def chosen_as_of(connection: duckdb.DuckDBPyConnection, asked: date | None) -> date:
    """The as-of day to work at: the built one, or an earlier origin that was asked for.

    Raises RowsAfterAsOf if usage or features reach beyond the built day, NotAnOrigin if `asked` has no features.
    """
    built = built_as_of(connection)
    for relation, column in (
        ("features.usage_asof", "origin_date"),
        ("features.customer_asof", "as_of_date"),
        ("marts.fct_usage_daily", "usage_date"),
        ("features.revenue_months", "month_start"),
    ):
        if column not in _columns(connection, relation):
            raise ColumnsMissing(relation, [column])
        query = f"select count(*), max({column}) from {relation} where {column} > ?"  # noqa: S608 - our constants
        rows, newest = connection.execute(query, [built]).fetchall()[0]
        if rows:
            raise RowsAfterAsOf(relation, rows, newest, built)
    if asked is None or asked == built:
        return built
    origin = "select count(*) from features.usage_asof where origin_date = ?"
    if not connection.execute(origin, [asked]).fetchall()[0][0]:
        raise NotAnOrigin(asked, built)
    return asked


def accounts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The account ids of the features, sorted."""
    query = "select account_id from features.customer_asof union select account_id from features.usage_asof order by 1"
    return [str(row[0]) for row in connection.execute(query).fetchall()]


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    schema, table = relation.split(".")
    query = "select column_name from duckdb_columns() where schema_name = ? and table_name = ?"
    found = {row[0] for row in connection.execute(query, [schema, table]).fetchall()}
    if not found:
        raise RelationMissing(relation)
    return found
