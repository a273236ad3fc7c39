"""No leaks: features at an origin are the same on everything that was loaded and on what existed at the origin."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.raw import epoch

FEATURES = ("--resource-type", "model", "--resource-type", "seed", "--select", "+usage_asof", "+customer_asof")
# Whole weeks before the sandbox's as_of, so that weekly origins meet.
ORIGIN = date(2026, 10, 31) - timedelta(weeks=14)


def _build(data: Path, as_of: date | None = None) -> Path:
    variables = ("--vars", json.dumps({"as_of": as_of.isoformat()})) if as_of else ()
    built = dbt(data, "build", *FEATURES, *variables)
    assert built.returncode == 0, built.stdout
    return data / "warehouse.duckdb"


def _cut(warehouse: Path, last_day: date) -> None:
    """Take away what had not happened by the end of `last_day`: objects, usage, ends, payments."""
    end = datetime.combine(last_day + timedelta(days=1), datetime.min.time())
    seconds = epoch(end.isoformat())
    with duckdb.connect(str(warehouse)) as con:
        _rewind_periods(con, seconds)
        for (table,) in con.execute(
            "select table_name from information_schema.columns "
            "where table_schema = 'raw_stripe' and column_name = 'created' and table_name not in ('prices', 'products')"
        ).fetchall():
            con.execute(f"delete from raw_stripe.{table} where created >= {seconds}")
        con.execute("delete from raw_stripe.invoice_lines where parent_id not in (select id from raw_stripe.invoices)")
        con.execute("delete from raw_stripe.meter_usage_revisions where window_start >= ?", [end])
        con.execute("delete from raw_stripe.meter_usage_period_revisions where window_end > ?", [end])
        con.execute("update raw_stripe.load_report set covered_until = ? where covered_until is not null", [end])
        for kind, cancelled, forgotten in (
            ("subscriptions", "ended_at", {"ended_at": None, "canceled_at": None, "status": "active"}),
            ("invoices", "status_transitions.paid_at", {"status_transitions": {"paid_at": None}, "status": "open"}),
        ):
            _forget(con, kind, cancelled, forgotten, seconds)


def _rewind_periods(con: duckdb.DuckDBPyConnection, seconds: int) -> None:
    """An item's running period was the one that the first metered invoice from `seconds` on came to bill."""
    con.execute(
        "update raw_stripe.subscription_items as items set payload = json_merge_patch(items.payload, json_object("
        "'current_period_start', running.period_start, 'current_period_end', running.period_end)) "
        "from (select item, min(period_start) as period_start, min(period_end) as period_end from ("
        "  select json_extract_string(payload, '$.parent.subscription_item_details.subscription_item') as item, "
        "    cast(json_extract_string(payload, '$.period.start') as bigint) as period_start, "
        "    cast(json_extract_string(payload, '$.period.end') as bigint) as period_end "
        "  from raw_stripe.invoice_lines) as lines "
        f"  where period_start < {seconds} and period_end >= {seconds} group by item) as running "
        "where items.id = running.item "
        "and json_extract_string(items.payload, '$.price.recurring.usage_type') = 'metered'"
    )


def _forget(
    con: duckdb.DuckDBPyConnection, kind: str, field: str, forgotten: Mapping[str, object], seconds: int
) -> None:
    con.execute(
        f"update raw_stripe.{kind} set payload = json_merge_patch(payload, ?::json) "
        f"where cast(json_extract_string(payload, '$.{field}') as bigint) >= {seconds}",
        [json.dumps(forgotten)],
    )


@pytest.fixture(scope="module")
def warehouses(modelled_company: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The small company's features, built three ways: on everything, replayed at ORIGIN, and on data cut at ORIGIN."""
    data = tmp_path_factory.mktemp("as_of")
    for copy in ("replayed", "cut"):
        (data / copy).mkdir()
        shutil.copy(modelled_company / "warehouse.duckdb", data / copy / "warehouse.duckdb")
    _cut(data / "cut" / "warehouse.duckdb", ORIGIN)
    return {
        "everything": modelled_company / "warehouse.duckdb",
        "replayed": _build(data / "replayed", ORIGIN),
        "cut": _build(data / "cut"),
    }


def _differences(one: Path, other: Path, table: str, where: str) -> tuple[int, list[tuple[object, ...]]]:
    """How many rows the first has, and the rows (up to five) that only one of the two has."""
    columns = "* exclude (is_scoring)"
    with duckdb.connect() as con:
        con.execute(f"attach '{one}' as one (read_only)")
        con.execute(f"attach '{other}' as other (read_only)")
        left, right = (f"select {columns} from {side}.features.{table} where {where}" for side in ("one", "other"))
        rows = con.execute(f"select count(*) from ({left})").fetchall()[0][0]
        return rows, con.execute(
            f"(select 'one', * from ({left} except all {right})) union all "
            f"(select 'other', * from ({right} except all {left})) limit 5"
        ).fetchall()


@pytest.mark.parametrize(
    ("table", "known"),
    [
        ("usage_asof", f"origin_date <= date '{ORIGIN}'"),
        # the month of ORIGIN is valued at ORIGIN on cut data, at its end on everything
        ("customer_asof", f"as_of_date < date_trunc('month', date '{ORIGIN}')"),
    ],
)
def test_features_at_an_origin_do_not_change_when_the_future_arrives(
    warehouses: dict[str, Path], table: str, known: str
) -> None:
    # a year of weekly origins reaches further back on cut data
    with duckdb.connect(str(warehouses["everything"]), read_only=True) as con:
        first = con.execute("select min(origin_date) from features.usage_asof").fetchall()[0][0]
    since = f" and origin_date >= date '{first}'" if table == "usage_asof" else ""

    rows, differences = _differences(warehouses["everything"], warehouses["cut"], table, known + since)

    assert rows > 100
    assert differences == []


@pytest.mark.parametrize("table", ["usage_asof", "customer_asof"])
def test_a_replayed_day_sees_what_that_day_saw(warehouses: dict[str, Path], table: str) -> None:
    rows, differences = _differences(warehouses["replayed"], warehouses["cut"], table, "true")

    assert rows > 100
    assert differences == []


def test_a_replay_says_which_day_it_replays(warehouses: dict[str, Path]) -> None:
    with duckdb.connect(str(warehouses["replayed"]), read_only=True) as con:
        assert con.execute("select as_of from intermediate.int_as_of").fetchall() == [(ORIGIN,)]
        assert con.execute(
            "select max(origin_date) filter (where is_scoring), max(origin_date) from features.usage_asof"
        ).fetchall() == [(ORIGIN, ORIGIN)]
