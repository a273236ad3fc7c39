"""What is derived from monthly MRR, worked out again from its rows: rates of exchange, retention, cohorts."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import ROOT

Row = dict[str, Any]
EXPONENT = {"usd": 2, "eur": 2, "jpy": 0}


@pytest.fixture(scope="module")
def con(modelled_company: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The small company's warehouse, to be read only."""
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as opened:
        yield opened


def rows(con: duckdb.DuckDBPyConnection, mart: str, where: str = "true") -> list[Row]:
    found = con.execute(f"select * from marts.{mart} where {where}")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def to_dollars(currency: str, day: date) -> Decimal:
    """What one unit of the currency is in dollars by the seed's last quote, whichever way round it was quoted."""
    with (ROOT / "dbt_project" / "seeds" / "fx_rates.csv").open() as file:
        quotes = [row for row in csv.DictReader(file) if date.fromisoformat(row["date"]) <= day]
    last = {(row["from_currency"], row["to_currency"]): Decimal(row["rate"]) for row in quotes}
    if currency == "usd":
        return Decimal(1)
    return last[currency, "usd"] if (currency, "usd") in last else 1 / last["usd", currency]


def test_mrr_in_the_reporting_currency_is_each_part_at_the_days_rate(con: duckdb.DuckDBPyConnection) -> None:
    months = rows(con, "fct_mrr_monthly")
    assert {row["currency"] for row in months} == set(EXPONENT)
    rates = {(row["currency"], row["valued_on"]): to_dollars(row["currency"], row["valued_on"]) for row in months}
    for row in months:
        for part in ("committed", "metered"):
            units = Decimal(row[f"{part}_mrr_minor"]).scaleb(-EXPONENT[row["currency"]])
            cents = units * rates[row["currency"], row["valued_on"]] * 100
            assert row[f"{part}_reporting_minor"] == int(cents.quantize(Decimal(1), ROUND_HALF_UP)), row


@pytest.mark.parametrize("is_converted", [False, True])
def test_retention_and_cohorts_are_what_the_customers_months_add_up_to(
    con: duckdb.DuckDBPyConnection, is_converted: bool
) -> None:
    worth: dict[str, dict[str, dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    living = set()
    for row in rows(con, "fct_mrr_monthly"):
        currency, amount = ("usd", "reporting_mrr_minor") if is_converted else (row["currency"], "mrr_minor")
        months = worth[currency][row["customer_id"]]
        months[row["month_start"]] = months.get(row["month_start"], 0) + row[amount]
        if row["is_living"]:
            living.add((row["customer_id"], row["month_start"]))
    where = f"is_converted = {is_converted}"
    cohorts = {(row["currency"], row["cohort_month"], row["month_start"]): row for row in rows(
        con, "fct_cohort_retention", where
    )}  # fmt: skip
    retention = rows(con, "fct_revenue_retention", where)
    assert {row["currency"] for row in retention} == set(worth)
    for row in retention:
        month, customers = row["month_start"], worth[row["currency"]]
        before = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
        there = {name: months for name, months in customers.items() if (name, before) in living and before in months}
        opening, kept = sum(months[before] for months in there.values()), sum(m[month] for m in there.values())
        assert row["customers_opening"] == len(there)
        assert row["customers_churned"] == sum((name, month) not in living for name in there)
        assert row["closing_minor"] == sum(months.get(month, 0) for months in customers.values())
        assert row["arr_minor"] == 12 * row["closing_minor"]
        if opening and not is_converted:  # in another currency what rates did is kept apart
            assert float(row["net_retention"]) == pytest.approx(kept / opening, abs=1e-6)
        for start in {min(months) for months in customers.values() if min(months) <= month}:
            cohort = [(name, months) for name, months in customers.items() if min(months) == start]
            told = cohorts.pop((row["currency"], start, month))
            assert told["customers_at_start"] == len(cohort)
            assert told["customers_paying"] == sum(months[month] > 0 for _, months in cohort)
            assert told["customers_living"] == sum((name, month) in living for name, _ in cohort)
            assert told["mrr_minor"] == sum(months[month] for _, months in cohort)
    assert not cohorts
