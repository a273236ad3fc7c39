"""The command `exports`: find the files, skip what has landed, land the rest, say what became of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from dlt_pipelines.errors import ExportUnreadable
from dlt_pipelines.exports.header import Header, read_header
from dlt_pipelines.exports.rows import Row, batches, fingerprint_of, opened
from dlt_pipelines.exports.tables import SCHEMA, ensure_tables
from dlt_pipelines.settings import Settings
from dlt_pipelines.usage_log.tables import account_of
from dlt_pipelines.warehouse import explain, open_warehouse

SUFFIXES = (".csv", ".csv.gz")
_ROWS = pa.schema(
    [("row_number", pa.int64())]
    + [(name, pa.string()) for name in ("line_id", "invoice_id", "invoice_number", "currency", "amount")]
    + [("reason", pa.string()), ("raw", pa.string())]
)


def land_exports(settings: Settings, paths: Sequence[str], units: str | None = None, account: str | None = None) -> str:
    """Land the exports of `paths` (files and folders of CSV) in raw_exports; a summary for people.

    The same file lands once, whatever it is called; each file lands as a whole or not at all. units: minor or major,
    None: as the header tells. Raises ExportUnreadable, OtherAccount, SettingMissing, Locked or WarehouseFailed.
    """
    files = [file for path in paths for file in _files(path)]
    connection = open_warehouse(settings.warehouse)
    try:
        ensure_tables(connection)
        account_id = account_of(connection, account)
        return "\n".join(_land(connection, file, account_id, units) for file in files)
    except duckdb.Error as error:
        raise explain(settings.warehouse, error) from error
    finally:
        connection.close()


def _files(given: str) -> list[Path]:
    path = Path(given).absolute()
    if path.is_file():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.name.lower().endswith(SUFFIXES)) if path.is_dir() else []
    if not found:
        raise ExportUnreadable(f"{given} is no export: name a CSV file, or a folder that holds some.")
    return found


def _land(connection: duckdb.DuckDBPyConnection, path: Path, account_id: str, units: str | None) -> str:
    try:
        size, fingerprint = fingerprint_of(path)
    except OSError as error:
        raise ExportUnreadable(f"{path} cannot be read ({error.strerror}); make it readable.") from error
    known = f"select path from {SCHEMA}.files where fingerprint = ?"  # noqa: S608 - fixed names
    if landed := connection.execute(known, [fingerprint]).fetchone():
        return f"{path}: landed before as {landed[0]}, skipped"
    stamp = datetime.now(UTC).replace(tzinfo=None)
    (next_id,) = connection.execute(f"select coalesce(max(file_id), 0) + 1 from {SCHEMA}.files").fetchall()[0]  # noqa: S608 - a fixed name
    connection.begin()
    try:
        with opened(path) as rows:
            first = next(rows, None)
            if not first:
                raise ExportUnreadable(f"{path} is empty; expected a CSV whose first row names its columns.")
            header = read_header(first, str(path), units)
            counts: Counter[str] = Counter()
            for batch in batches(rows, header, len(first), path):
                counts.update(row.reason or "" for row in batch)
                _append(connection, batch, (account_id, next_id, str(path), stamp), header)
        refused = counts.total() - counts[""]
        book = f"insert into {SCHEMA}.files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - fixed names
        told = [header.kind, header.units, counts.total(), counts[""], refused, stamp]
        connection.execute(book, [account_id, next_id, str(path), size, fingerprint, *told])
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    reasons = "".join(f"\n  {count:,} × {reason}" for reason, count in sorted(counts.items()) if reason)
    landed_rows = f"{counts['']:,} {header.kind}s landed, amounts in {header.units} units"
    return f"{path}: {landed_rows}; {refused:,} quarantined{reasons}"


def _append(
    connection: duckdb.DuckDBPyConnection, batch: list[Row], of: tuple[str, int, str, datetime], header: Header
) -> None:
    columns = dict(zip(Row._fields, map(list, zip(*batch, strict=True)), strict=True))
    rows = pa.table(columns, schema=_ROWS)  # noqa: F841 - the queries read it
    account_id, file_id, path, stamp = of
    connection.execute(
        f"""
        insert into {SCHEMA}.invoice_amounts
        select ?, ?, row_number, ?, line_id, invoice_id, invoice_number, currency, amount, ?, ?
        from rows where reason is null
        """,  # noqa: S608 - fixed names
        [account_id, file_id, header.kind, header.units, stamp],
    )
    connection.execute(
        f"""
        insert into {SCHEMA}.quarantine
        select ?, ?, ?, row_number, reason, raw, ? from rows where reason is not null
        """,  # noqa: S608 - fixed names
        [account_id, file_id, path, stamp],
    )
