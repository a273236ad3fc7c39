"""How files of one shape are read: which columns they have, and the DuckDB table function over them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import duckdb
import pyarrow as pa

from dlt_pipelines.errors import UsageLogUnreadable
from dlt_pipelines.quoting import quoted, text
from dlt_pipelines.usage_log.paths import LogFile

REJECTS = "usage_log_rejects"
_DELIMITERS = (",", ";", "\t", "|")
_HEADER_BYTES = 1 << 16
# A byte that no JSON line can hold: with it as the delimiter the reader of CSV hands on whole lines.
_NO_DELIMITER = "\x01"
# One transaction: enough files that a folder of small ones goes quickly, few enough that a kill costs minutes.
BATCH_BYTES = 4 << 30
BATCH_FILES = 5_000


@dataclass(frozen=True)
class Shape:
    """What files must share to be read by one query: the format, and name and type of each column (none for JSONL)."""

    format: str
    columns: tuple[tuple[str, str], ...] = ()
    delimiter: str = ""


@dataclass(frozen=True)
class Batch:
    """Files of one shape that land in one transaction, in the order in which the first of equal identifiers wins."""

    shape: Shape
    files: tuple[LogFile, ...]


def batches(connection: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> list[Batch]:
    """Neighbours of one shape together, up to BATCH_BYTES or one larger file. Raises UsageLogUnreadable."""
    made: list[Batch] = []
    for file in files:
        shape = shape_of(connection, file)
        last = made[-1] if made else None
        size = sum(each.size for each in last.files) if last else 0
        if last and last.shape == shape and size + file.size <= BATCH_BYTES and len(last.files) < BATCH_FILES:
            made[-1] = Batch(shape, (*last.files, file))
        else:
            made.append(Batch(shape, (file,)))
    return made


def shape_of(connection: duckdb.DuckDBPyConnection, file: LogFile) -> Shape:
    """Read a file's schema or header. Raises UsageLogUnreadable for a damaged file and columns that share a name."""
    if file.format == "jsonl":
        return Shape("jsonl")
    try:
        if file.format == "parquet":
            query = f"describe select * from {reader(Shape('parquet'), [file.path])}"  # noqa: S608 - a quoted path
            described = connection.execute(query).fetchall()
            return Shape("parquet", tuple((name, kind) for name, kind, *_ in described))
        with pa.input_stream(str(file.path), compression="detect") as stream:
            head = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
    except (duckdb.Error, OSError) as error:
        raise UsageLogUnreadable(
            f"{file.path} cannot be read as {file.format} ({type(error).__name__}); is it whole, and named rightly?"
        ) from error
    delimiter = max(_DELIMITERS, key=head.partition("\n")[0].count)
    names = next(csv.reader(StringIO(head), delimiter=delimiter), [])
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageLogUnreadable(f"{file.path} has {len(twice)} column names more than once; give each its own name.")
    return Shape("csv", tuple((name, "VARCHAR") for name in names), delimiter)


def refuse_cut_short(file: LogFile) -> None:
    """Raises UsageLogUnreadable for zstd text without its end: DuckDB takes what there is without a word (not of gzip).

    Reads the file once at some 600 MB of text a second, a few per cent of what landing it takes.
    """
    if file.path.suffix.lower() != ".zst":
        return
    try:
        with pa.input_stream(str(file.path), compression="zstd") as stream:
            while stream.read(_HEADER_BYTES):
                pass
    except OSError as error:
        raise UsageLogUnreadable(
            f"{file.path} cannot be read to its end ({error}); nothing of it was landed: is it whole?"
        ) from error


def reader(shape: Shape, paths: Sequence[Path], keep_rejects: bool = False, parallel: bool = True) -> str:
    """The table function over `paths`: a shape's own columns, of JSONL one column `line`, and DuckDB's file_index.

    Lines that cannot be split into fields are passed over; with `keep_rejects` the table REJECTS then holds them.
    """
    if shape.format == "parquet":
        return f"read_parquet({_list(paths)})"
    rejects = (
        f", store_rejects = true, rejects_limit = 0, rejects_table = '{REJECTS}', rejects_scan = '{REJECTS}_scans'"
        if keep_rejects
        else ", ignore_errors = true"
    )
    rejects += "" if parallel else ", parallel = false"
    if shape.format == "jsonl":
        return _lines(paths, rejects)
    return (
        f"read_csv({_list(paths)}, auto_detect = false, header = true, columns = {_struct(shape.columns)},"
        f" delim = {text(shape.delimiter)}, quote = '\"', escape = '\"'{rejects})"
    )


def _lines(paths: Sequence[Path], more: str) -> str:
    # not strict, for a file may mix line ends; what is odd within a line shows when it is read as JSON
    return (
        f"read_csv({_list(paths)}, auto_detect = false, header = false, columns = {{'line': 'varchar'}},"
        f" delim = '{_NO_DELIMITER}', quote = '', escape = '', strict_mode = false{more})"
    )


def nested_names(shape: Shape) -> Iterator[tuple[str, str, str]]:
    """(name as settings write it, SQL, type) of every column and each field of a Parquet struct (`payload.value`)."""
    for name, kind in shape.columns:
        yield name, quoted(name), kind
        if kind.startswith("STRUCT("):
            for part in duckdb.type(kind).children:  # (name, type) pairs
                yield f"{name}.{part[0]}", f"{quoted(name)}.{quoted(part[0])}", str(part[1])


def _list(paths: Sequence[Path]) -> str:
    return f"[{', '.join(text(_literal(path)) for path in paths)}]"


def _literal(path: Path) -> str:
    """DuckDB takes * ? [ in a name for a pattern; in brackets each stands for itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def _struct(columns: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{text(name)}: {text(kind)}" for name, kind in columns) + "}"
