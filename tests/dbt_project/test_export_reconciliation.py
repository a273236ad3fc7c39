"""An export beside what was loaded: every way in which the two can differ, planted in a Sigma export of the company."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.exports import land_exports
from dlt_pipelines.settings import Settings
from tests.commands import dbt

LINES = ("id", "invoice_id", "currency", "amount")
EXPONENTS = {"usd": 2, "eur": 2, "jpy": 0}
Rows = list[tuple[Any, ...]]


def _of_the_sandbox(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Its final invoices as Stripe has them, oldest first, and their lines: what Sigma would list."""
    with sqlite3.connect(folder / "sandbox" / "sandbox.sqlite") as sandbox:
        found = sandbox.execute("select json from object where kind = 'invoice' order by seq").fetchall()
    invoices = [json.loads(text) for (text,) in found]
    final = [each for each in invoices if each["status"] in ("open", "paid", "uncollectible")]
    return final, [line for each in final for line in each["lines"]["data"]]


def _written(path: Path, columns: tuple[str, ...], rows: Rows) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    path.write_text(text.getvalue())
    return path


def _major(amount: int, currency: str) -> str:
    """Minor units as the Dashboard writes them, by moving the point."""
    places = EXPONENTS[currency]
    digits = str(abs(amount)).rjust(places + 1, "0")
    point = len(digits) - places
    return ("-" if amount < 0 else "") + (f"{digits[:point]}.{digits[point:]}" if places else digits)


@pytest.fixture(scope="module")
def tied_out(modelled_company: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The company's warehouse after two exports, one of lines and one of invoices; record to what was planted."""
    data = tmp_path_factory.mktemp("exports")
    (data / "warehouse.duckdb").write_bytes((modelled_company / "warehouse.duckdb").read_bytes())
    invoices, lines = _of_the_sandbox(modelled_company)
    rows = {line["id"]: (line["id"], line["invoice"], line["currency"], line["amount"]) for line in lines}
    changed, left_out, elsewhere, twice = (line["id"] for line in lines[10:14])
    planted = {changed: "amount_differs", left_out: "missing_there", elsewhere: "other_currency"}
    planted |= {twice: "exported_twice", "il_unheard_of": "missing_here", lines[14]["id"]: "amount_unreadable"}
    listed = [row for key, row in rows.items() if key not in planted]
    listed += [(*rows[changed][:3], rows[changed][3] + 1), (*rows[elsewhere][:2], "nok", rows[elsewhere][3])]
    listed += [rows[twice], (*rows[twice][:3], rows[twice][3] + 5), ("il_unheard_of", "in_unheard_of", "usd", 5)]
    by_number = [
        (each["number"], each["currency"].upper(), _major(each["total"], each["currency"])) for each in invoices
    ]
    odd = rows[lines[14]["id"]]
    exports = [
        _written(data / "lines.csv", LINES, listed),
        _written(data / "odd.csv", ("Line Item ID", "Invoice ID", "Currency", "Amount"), [(*odd[:3], "1.00001")]),
        _written(data / "invoices.csv", ("Number", "Currency", "Total"), by_number),
    ]
    # some invoices once more, by their ids
    ids = [(each["id"], each["currency"], _major(each["total"], each["currency"])) for each in invoices[:20]]
    exports.append(_written(data / "by_id.csv", ("Invoice ID", "Currency", "Total"), ids))
    land_exports(Settings(data), [str(file) for file in exports])
    built = dbt(
        data, "build", "--threads", "1", "--select", "stg_exports__invoice_amounts+", "--exclude", "tag:after_ml"
    )
    assert built.returncode == 0, built.stdout
    return data, planted


def _rows(data: Path, query: str) -> Rows:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_each_planted_difference_of_an_export_has_its_status_and_all_other_lines_match(
    tied_out: tuple[Path, dict[str, str]],
) -> None:
    data, planted = tied_out
    found = _rows(
        data,
        "select record_id, status from marts.fct_export_reconciliation where kind = 'line' and status != 'matches'",
    )
    matching = _rows(
        data, "select count(*) from marts.fct_export_reconciliation where kind = 'line' and status = 'matches'"
    )

    assert dict(found) == planted
    assert matching[0][0] > 1000


def test_totals_in_major_units_and_known_by_number_alone_match_to_the_minor_unit(
    tied_out: tuple[Path, dict[str, str]],
) -> None:
    data, _ = tied_out
    found = _rows(
        data,
        "select status, count(*), count(distinct currency), sum(abs(difference_minor)) "
        "from marts.fct_export_reconciliation where kind = 'invoice' group by 1",
    )

    assert [(status, currencies, difference) for status, _, currencies, difference in found] == [("matches", 3, 0)]
    assert found[0][1] > 400


def test_without_an_export_there_is_nothing_to_tie_out(modelled_company: Path) -> None:
    assert _rows(modelled_company, "select count(*) from marts.fct_export_reconciliation") == [(0,)]
