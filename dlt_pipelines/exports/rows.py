"""The rows of one export: read from CSV, judged one by one, given on in batches."""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from dlt_pipelines.errors import ExportUnreadable
from dlt_pipelines.exports.header import Header

BATCH = 50_000
LONGEST_RAW = 2_000  # of a refused row, in characters
# 12 digits are the most that Stripe bills; six decimal places are more than any currency has.
_WHOLE = re.compile(r"-?\d{1,15}(\.0{1,6})?")
_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
_CURRENCY = re.compile(r"[a-z]{3}")


class Row(NamedTuple):
    """What a row says, or why it is refused (`reason`, with its text in `raw`); empty texts are None."""

    row_number: int
    line_id: str | None
    invoice_id: str | None
    invoice_number: str | None
    currency: str | None
    amount: str | None
    reason: str | None
    raw: str | None


def fingerprint_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of all of a file: an export is small, and a copy of it is the same one."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[Iterator[list[str]]]:
    """The rows of a CSV (.csv, .csv.gz) in UTF-8 as lists of texts, the header first.

    Raises ExportUnreadable where the file cannot be read, is no text, or is cut short.
    """
    try:
        with _text_of(path) as file:
            yield csv.reader(file, strict=True)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ExportUnreadable(
            f"{path} cannot be read as CSV in UTF-8 ({type(error).__name__}); nothing of it was landed: is it whole?"
        ) from error


def _text_of(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def batches(rows: Iterator[list[str]], header: Header, width: int, path: Path) -> Iterator[list[Row]]:
    """The rows behind the header, judged, BATCH at a time; lines without any text are passed over.

    Raises ExportUnreadable where amounts taken for minor units have decimal places and nobody said their unit.
    """
    batch: list[Row] = []
    for number, texts in enumerate(rows, 1):
        if not any(texts):
            continue
        row = _judged(number, texts, header, width)
        if row.reason == "amount_has_decimals" and not header.is_told:
            raise ExportUnreadable(
                f"{path} has amounts with decimal places (row {number}) under the column names of Sigma, whose amounts "
                "are minor units: say what they are, --units major or --units minor. Nothing of it was landed."
            )
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _judged(number: int, texts: Sequence[str], header: Header, width: int) -> Row:
    raw = ",".join(texts)[:LONGEST_RAW]
    if len(texts) != width:
        return Row(number, None, None, None, None, None, "wrong_number_of_columns", raw)
    found = {field: texts[place].strip() or None for field, place in header.columns.items()}
    currency, amount = (found["currency"] or "").lower(), found["amount"] or ""
    owner = found.get("invoice_id") or (found.get("invoice_number") if header.kind == "invoice" else None)
    reason = None
    if owner is None or (header.kind == "line" and not found.get("line_id")):
        reason = "no_id"
    elif not _CURRENCY.fullmatch(currency):
        reason = "no_currency"
    elif not _DECIMAL.fullmatch(amount):
        reason = "no_amount"
    elif header.units == "minor" and not _WHOLE.fullmatch(amount):
        reason = "amount_has_decimals"
    line_id, invoice_id, invoice_number = (found.get(field) for field in ("line_id", "invoice_id", "invoice_number"))
    return Row(number, line_id, invoice_id, invoice_number, currency, amount, reason, raw if reason else None)
