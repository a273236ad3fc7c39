"""Exports that Stripe wrote, landed: recognised by their columns, once each, whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.errors import ExportUnreadable, OtherAccount
from dlt_pipelines.exports import land_exports
from dlt_pipelines.exports.header import read_header
from dlt_pipelines.settings import Settings

ACCOUNT = "acct_1"
SIGMA = "id,invoice_id,currency,amount,description\n"
LINES = SIGMA + "il_1,in_1,usd,1050,Calls\nil_2,in_1,usd,-50,\n"


def land(data: Path, *files: Path, units: str | None = None, account: str = ACCOUNT) -> str:
    return land_exports(Settings(data), [str(file) for file in files], units, account)


def rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def written(folder: Path, text: str, name: str = "export.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("header", "kind", "units"),
    [
        ("id,invoice_id,currency,amount,period_start", "line", "minor"),
        ("\ufeffid,number,currency,total,status", "invoice", "minor"),
        ("id,Amount Due,Currency,Customer,Date (UTC),Number,Subtotal,Total,Status", "invoice", "major"),
        ("Number,Currency,Total", "invoice", "major"),
        ("Line Item ID,Invoice ID,Currency,Amount", "line", "major"),
        ("invoice_line_item_id,invoice_id,currency,line_item_amount", "line", "major"),
    ],
)
def test_an_export_is_recognised_by_its_columns(header: str, kind: str, units: str) -> None:
    found = read_header(header.split(","), "export.csv", None)

    assert (found.kind, found.units) == (kind, units)
    assert {"currency", "amount"} <= found.columns.keys()
    assert read_header(header.split(","), "export.csv", "major").units == "major"


@pytest.mark.parametrize(
    "header", ["id,amount", "id,invoice_id,amount", "id,currency,amount_due", "currency,total", "a"]
)
def test_a_file_that_is_no_export_of_invoices_is_refused_with_the_columns_it_lacks(header: str) -> None:
    with pytest.raises(ExportUnreadable, match=r"has no column .*docs/exports\.md"):
        read_header(header.split(","), "export.csv", None)


def test_rows_land_with_the_text_of_their_amounts_and_the_same_file_lands_once(tmp_path: Path) -> None:
    file = written(tmp_path, LINES)
    packed = tmp_path / "again.csv"
    packed.write_bytes(file.read_bytes())

    assert "2 lines landed, amounts in minor units; 0 quarantined" in land(tmp_path, file)
    assert "landed before" in land(tmp_path, packed)
    assert rows(tmp_path, "select line_id, invoice_id, currency, amount, units from raw_exports.invoice_amounts") == [
        ("il_1", "in_1", "usd", "1050", "minor"),
        ("il_2", "in_1", "usd", "-50", "minor"),
    ]
    assert rows(tmp_path, "select kind, row_count, landed, quarantined from raw_exports.files") == [("line", 2, 2, 0)]


def test_bad_rows_are_quarantined_with_their_reason_and_counted(tmp_path: Path) -> None:
    bad = 'il_3,in_1,usd,12e3,\n,in_1,usd,5,\nil_4,in_1,dollars,5,\nil_5,in_1,usd\n\n"il,6",in_1,USD,"1,000",\n'
    told = land(tmp_path, written(tmp_path, LINES + bad + "il_7,in_2,USD,7.00,\n"))

    assert "3 lines landed" in told
    assert "5 quarantined" in told
    assert rows(tmp_path, "select row_number, reason from raw_exports.quarantine order by 1") == [
        (3, "no_amount"),
        (4, "no_id"),
        (5, "no_currency"),
        (6, "wrong_number_of_columns"),
        (8, "no_amount"),
    ]
    assert rows(tmp_path, "select amount, currency from raw_exports.invoice_amounts where line_id = 'il_7'") == [
        ("7.00", "usd")
    ]


def test_amounts_whose_unit_is_unclear_are_refused_until_somebody_says_it(tmp_path: Path) -> None:
    file = written(tmp_path, LINES + "il_3,in_1,usd,10.5,\n")
    with pytest.raises(ExportUnreadable, match="--units major"):
        land(tmp_path, file)
    assert rows(tmp_path, "select count(*) from raw_exports.invoice_amounts") == [(0,)]
    assert rows(tmp_path, "select count(*) from raw_exports.files") == [(0,)]

    assert "3 lines landed, amounts in major units" in land(tmp_path, file, units="major")


def test_a_folder_lands_whole_and_compressed_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    written(folder, LINES, "january.csv")
    (folder / "february.csv.gz").write_bytes(gzip.compress((SIGMA + "il_9,in_9,jpy,9,\n").encode()))
    land(tmp_path, folder)

    assert rows(tmp_path, "select file_id, count(*) from raw_exports.invoice_amounts group by 1 order by 1") == [
        (1, 1),
        (2, 2),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"id,invoice_id,currency,amount\n\xff\xfe", "cannot be read as CSV in UTF-8"),
        (b'id,invoice_id,currency,amount\n"il_1', "cannot be read as CSV in UTF-8"),
    ],
)
def test_a_damaged_file_lands_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(content)
    with pytest.raises(ExportUnreadable, match=said):
        land(tmp_path, file)
    assert rows(tmp_path, "select count(*) from raw_exports.files") == [(0,)]


def test_a_path_where_no_export_is_and_another_account_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportUnreadable, match="is no export"):
        land(tmp_path, tmp_path / "nowhere.csv")
    file = written(tmp_path, LINES)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("create schema raw_stripe; create table raw_stripe.accounts as select 'acct_2' as account_id")
    with pytest.raises(OtherAccount):
        land(tmp_path, file)
