"""Which files there are, and by what each is known again."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from dlt_pipelines.errors import UsageLogUnreadable

# Suffix → format; text may be compressed. DuckDB reads both compressions without an extension.
FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
COMPRESSIONS = (".gz", ".zst")
_SAMPLE = 1 << 20  # bytes of the head and of the tail that go into a fingerprint


@dataclass(frozen=True)
class LogFile:
    """A file to land: absolute path, format of FORMATS, size in bytes, and its fingerprint."""

    path: Path
    format: str
    size: int
    fingerprint: str


def find_files(given: Iterable[str]) -> list[LogFile]:
    """The usage logs that files, folders (with all below them) and globs name, each once, in the order given.

    Within a folder or glob the order is that of the paths. Raises UsageLogUnreadable for a path where nothing is, a
    file of another kind that was named itself, and a file that cannot be opened.
    """
    found: dict[Path, LogFile] = {}
    for each in given:
        for path in _paths(each):
            if path not in found:
                found[path] = _described(path)
    return list(found.values())


def _paths(given: str) -> list[Path]:
    path = Path(given)
    if path.is_file():
        return [path.absolute()]
    if path.is_dir():
        inside = sorted(each.absolute() for each in path.rglob("*") if each.is_file() and format_of(each))
    else:
        inside = sorted(Path(each).absolute() for each in glob(given, recursive=True)) if has_magic(given) else []
        inside = [each for each in inside if each.is_file() and format_of(each)]
    if not inside:
        if not path.exists() and not has_magic(given):
            raise UsageLogUnreadable(f"{given} is not there, and so holds no usage log; name a file, folder or glob.")
        raise UsageLogUnreadable(
            f"{given} holds no usage log; expected files ending in {', '.join(FORMATS)} "
            f"(text also with {' or '.join(COMPRESSIONS)})."
        )
    return inside


def format_of(path: Path) -> str | None:
    """parquet, csv or jsonl by the name's end; None for any other file."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        kind = FORMATS.get(suffixes[-2]) if len(suffixes) > 1 else None
        return None if kind == "parquet" else kind
    return FORMATS.get(suffixes[-1]) if suffixes else None


def _described(path: Path) -> LogFile:
    kind = format_of(path)
    if kind is None:
        raise UsageLogUnreadable(
            f"{path} is of no known kind; expected a name ending in {', '.join(FORMATS)} "
            f"(text also with {' or '.join(COMPRESSIONS)}): rename it."
        )
    try:
        size, fingerprint = fingerprint_of(path)
    except OSError as error:
        raise UsageLogUnreadable(f"{path} cannot be read ({error.strerror}); make it readable.") from error
    return LogFile(path, kind, size, fingerprint)


def fingerprint_of(path: Path) -> tuple[int, str]:
    """Size and fingerprint: SHA-256 over size, time of the last change, and the first and last MiB.

    Not over everything, for that would cost a tenth of the load. Moved or renamed, a file keeps it; copied or touched,
    it gets another one and is read again, and every row is then known by its identifier.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns} ".encode())
        digest.update(file.read(_SAMPLE))
        file.seek(max(0, status.st_size - _SAMPLE))
        digest.update(file.read(_SAMPLE))
    return status.st_size, digest.hexdigest()
