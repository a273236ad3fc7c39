"""Daily usage is what a full refresh makes of it after any sequence of loads; what drives a bill sums to its change."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project import raw as made
from tests.dbt_project.raw import LOADED_AT, METER, RawWarehouse, epoch

OTHER, IDLE = "mtr_other", "acct_idle"
FIRST_DAY = date(2026, 1, 1)
INCREMENTAL = {
    "stg_stripe__meter_usage": "staging",
    "stg_stripe__meter_period_usage": "staging",
    "fct_usage_daily": "marts",
    "int_usage_without_item": "intermediate",
}
LOADS, SEEDS = 10, (1, 2)


def _price(price_id: str, meter: str) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": meter}
    return made.metered_price(price_id, unit_amount_decimal="1") | {"recurring": recurring}


DEAR = _price("price_dear", METER) | {"unit_amount_decimal": "2"}
CHEAP = _price("price_cheap", METER) | {"unit_amount_decimal": "0.5"}
PRICES = [_price("price_a", METER), _price("price_b", METER), _price("price_other", OTHER)]


class Company:
    """A raw warehouse that random loads change: late or revised usage, any subscription; an account without items."""

    def __init__(self, data: Path, seed: int) -> None:
        self.data = data
        self.random = random.Random(seed)  # noqa: S311 - drawn, not secret
        self.stamp, self.today = LOADED_AT, date(2026, 3, 1)
        self.items: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        with RawWarehouse(data) as raw:
            raw.add("accounts", [made.account()])
            raw.add("meters", [made.meter(), made.meter() | {"id": OTHER, "event_name": "other"}])
            _copy_to_idle(raw, "accounts", f"'{IDLE}' as id")
            _copy_to_idle(raw, "meters", "id as id")
            raw.add("prices", PRICES)
            raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
            raw.add("customers", [made.customer(f"cus_{number}") for number in range(4)])
            for _ in range(4):
                self._subscribe(raw)
            self._use(raw)
            self._report(raw)

    def load(self) -> None:
        """One more load; it may break off before its report, and its clock may stand still."""
        self.stamp += timedelta(hours=self.random.choice((0, 0, 6, 24)))
        self.today += timedelta(days=self.random.choice((0, 0, 1, 1, 1, 3, 40)))
        changes = (self._use, self._use, self._revise, self._subscribe, self._end, self._swap, self._drop, self._bill)
        with RawWarehouse(self.data) as raw:
            for change in self.random.choices(changes, k=self.random.randint(1, 4)):
                change(raw)
            if self.random.random() < 0.75:
                self._report(raw)
            if self.random.random() < 0.25:
                # a load that broke off, by a clock ahead of those to come: it waits while later rows are seen
                raw.add_usage(self._customer(), {self._day(): 7}, self.stamp + timedelta(days=2))

    def _day(self, back: int = 90) -> str:
        return str(max(FIRST_DAY, self.today - timedelta(days=self.random.randint(1, back))))

    def _customer(self) -> str:
        return f"cus_{self.random.randint(0, 4)}"  # cus_4 never landed and has no item

    def _use(self, raw: RawWarehouse) -> None:
        """Usage late by up to a quarter, or of a customer or meter without an item."""
        for _ in range(self.random.randint(1, 12)):
            meter = self.random.choice((METER, METER, OTHER, "mtr_unknown"))
            quantities = {self._day(self.random.choice((2, 36, 90))): self.random.randint(0, 9)}
            raw.add_usage(self._customer(), quantities, self.stamp, meter)
        _copy_to_idle(raw, "meter_usage_revisions", "meter_id as meter_id", f"window_start >= date '{self.today}' - 2")

    def _revise(self, raw: RawWarehouse) -> None:
        windows = raw.rows("select distinct customer_id, meter_id, window_start from raw_stripe.meter_usage_revisions")
        for customer, meter, start in self.random.sample(sorted(windows), k=min(3, len(windows))):
            raw.add_usage(customer, {str(start.date()): self.random.randint(0, 99)}, self.stamp, meter)

    def _subscribe(self, raw: RawWarehouse) -> None:
        """A new subscription of one item, back-dated as it likes."""
        no = len(self.items)
        started = epoch(self._day()) + self.random.choice((0, 50_000))
        at = {"created": started, "start_date": started}
        self.subscriptions[f"sub_{no}"] = made.subscription(f"sub_{no}", self._customer(), **at)
        span = {"created": started, "current_period_start": started, "current_period_end": started + 30 * 86400}
        self.items[f"si_{no}"] = made.metered_item(f"si_{no}", f"sub_{no}", self.random.choice(PRICES), **span)
        raw.add("subscriptions", [self.subscriptions[f"sub_{no}"]], loaded_at=self.stamp)
        raw.add("subscription_items", [self.items[f"si_{no}"]], loaded_at=self.stamp)

    def _end(self, raw: RawWarehouse) -> None:
        """End a subscription, now or then, or take its end back, or find that it never lived."""
        name = self.random.choice(sorted(self.subscriptions))
        fate = self.random.choice(({"status": "incomplete_expired"}, {"status": "active", "ended_at": None}, {}, {}))
        ended = {"status": "canceled", "ended_at": epoch(self._day(60)), "canceled_at": epoch(self._day(60))}
        self.subscriptions[name] |= fate or ended
        raw.add("subscriptions", [self.subscriptions[name]], loaded_at=self.stamp)

    def _swap(self, raw: RawWarehouse) -> None:
        """Another price, perhaps on another meter, and perhaps a new period."""
        item = self.items[self.random.choice(sorted(self.items))]
        item["price"] = dict(self.random.choice(PRICES))
        if self.random.random() < 0.5:
            item["current_period_start"] = epoch(self._day(60)) + self.random.choice((0, 50_000))
            item["current_period_end"] = item["current_period_start"] + 30 * 86400
        raw.add("subscription_items", [item], loaded_at=self.stamp)

    def _drop(self, raw: RawWarehouse) -> None:
        """An item is gone upstream."""
        item = self.items[self.random.choice(sorted(self.items))]
        raw.add("subscription_items", [item], is_deleted=True, loaded_at=self.stamp)

    def _bill(self, raw: RawWarehouse) -> None:
        """A period of the past is billed, on a price that may not be today's, with a summary of what it used."""
        item = self.items[self.random.choice(sorted(self.items))]
        no, start = self.random.randint(0, 10**9), epoch(self._day()) + self.random.choice((0, 50_000))
        customer = self.subscriptions[item["subscription"]]["customer"]
        invoice = {"id": f"in_{no}", "customer": customer, "created": start + 30 * 86400, "currency": "usd"}
        invoice |= {"status": "paid", "status_transitions": {"finalized_at": start + 30 * 86400}, "total": 1}
        details = {"subscription": item["subscription"], "subscription_item": item["id"], "proration": False}
        line = {"id": f"il_{no}", "invoice": f"in_{no}", "amount": 1, "quantity": 1, "currency": "usd"}
        line |= {"period": {"start": start, "end": start + 30 * 86400}}
        line |= {"pricing": {"price_details": {"price": self.random.choice(PRICES)["id"]}}}
        line |= {"parent": {"type": "subscription_item_details", "subscription_item_details": details}}
        raw.add("invoices", [invoice], loaded_at=self.stamp)
        raw.add("invoice_lines", [line], loaded_at=self.stamp)
        begins, ends = (str(datetime.fromtimestamp(at, UTC)) for at in (start, start + 30 * 86400))
        raw.add_period_usage(customer, begins[:16], ends[:16], self.random.randint(0, 99), loaded_at=self.stamp)

    def _report(self, raw: RawWarehouse) -> None:
        raw.report_load(str(self.today), f"run_{self.random.random()}")
        _copy_to_idle(raw, "load_report", "covered_until - interval 2 day as covered_until")


def _copy_to_idle(raw: RawWarehouse, table: str, changed: str, where: str = "true") -> None:
    rows = f"from raw_stripe.{table} where account_id != '{IDLE}' and {where}"
    raw.rows(f"insert into raw_stripe.{table} select * replace ('{IDLE}' as account_id, {changed}) {rows}")


def _statements(data: Path) -> Iterator[str]:
    """The SQL by which the last dbt command changed the warehouse, in order."""
    for line in (data / "logs" / "dbt.log").read_text().splitlines():
        event = json.loads(line)
        if event["info"]["name"] == "SQLQuery" and event["data"].get("node_info", {}).get("resource_type") == "model":
            sql = event["data"]["sql"].partition("*/")[2].strip() or event["data"]["sql"].strip()
            if not sql.lower().startswith(("select", "describe", "comment")):
                yield sql


def _grow(raw: RawWarehouse) -> None:
    """cus_grew: 30 units at half a cent, then 53 at two cents, one of them in seconds that no day tells apart."""
    ends = [epoch("2025-12-10T14:23:37") + days * 86400 for days in (0, 31, 62, 90)]
    at = {"created": ends[0], "start_date": ends[0]}
    raw.add("prices", [CHEAP, DEAR])
    raw.add("customers", [made.customer("cus_grew", created=ends[0])])
    raw.add("subscriptions", [made.subscription("sub_grew", "cus_grew", **at)])
    span = {"created": ends[0], "current_period_start": ends[2], "current_period_end": ends[3]}
    raw.add("subscription_items", [made.metered_item("si_grew", "sub_grew", DEAR, **span)])
    for no, (price, units) in enumerate(((CHEAP, 30), (DEAR, 53))):
        invoice = {"id": f"in_grew{no}", "customer": "cus_grew", "created": ends[no + 1], "currency": "usd"}
        raw.add("invoices", [invoice | {"status": "paid", "status_transitions": {"finalized_at": ends[no + 1]}}])
        details = {"subscription": "sub_grew", "subscription_item": "si_grew", "proration": False}
        line = {"id": f"il_grew{no}", "invoice": f"in_grew{no}", "amount": 1, "quantity": units, "currency": "usd"}
        line |= {"period": {"start": ends[no], "end": ends[no + 1]}}
        line |= {"pricing": {"price_details": {"price": price["id"]}}}
        parent = {"type": "subscription_item_details", "subscription_item_details": details}
        raw.add("invoice_lines", [line | {"parent": parent}])
        begin, end = (datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M") for second in ends[no : no + 2])
        raw.add_period_usage("cus_grew", begin, end, units)
    raw.add_usage("cus_grew", {"2025-12-15": 10, "2025-12-20": 20, "2026-01-15": 25, "2026-01-20": 20, "2026-01-30": 7})


def _share(raw: RawWarehouse) -> None:
    """cus_twice: an item to 2026-02-10, another from 2026-02-06 on, on one meter that was used before both."""
    raw.add("customers", [made.customer("cus_twice")])
    for name, first, ended in (("one", "2026-02-01", epoch("2026-02-11")), ("two", "2026-02-06", None)):
        at = {"created": epoch(first), "start_date": epoch(first), "ended_at": ended}
        raw.add("subscriptions", [made.subscription(f"sub_{name}", "cus_twice", **at)])
        raw.add("subscription_items", [made.metered_item(f"si_{name}", f"sub_{name}", CHEAP, created=epoch(first))])
    raw.add_usage("cus_twice", {"2026-01-31": 8, "2026-02-03": 1, "2026-02-08": 2, "2026-02-15": 4})


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], dict[str, str]]:
    """A warehouse just built, what dbt runs on the next load, and what a full refresh selects of incremental models.

    dbt takes seconds to start and its statements do not depend on the data: later loads run them without it.
    """
    data = tmp_path_factory.mktemp("compiled") / "data"
    with RawWarehouse(data) as raw:
        _grow(raw)
        _share(raw)
    Company(data, 0)
    select = ["--threads", "1", "--select", *(f"+{name}" for name in INCREMENTAL)]
    kinds = ["--resource-type", "model", "--resource-type", "seed"]
    done = dbt(data, "build", *kinds, *select, "+usage_drivers", "usage_drivers_sum_to_the_change")
    assert done.returncode == 0, done.stdout
    models = data / "dbt" / "compiled" / "meterwise" / "models"
    wholes = {name: next(models.rglob(f"{name}.sql")).read_text() for name in INCREMENTAL}
    (data / "logs" / "dbt.log").unlink()
    done = dbt(data, "run", *select, "--log-format-file", "json", "--log-level-file", "debug")
    assert done.returncode == 0, done.stdout
    return data, list(_statements(data)), wholes


def _differences(con: duckdb.DuckDBPyConnection, name: str, whole: str) -> list[tuple[Any, ...]]:
    """Rows that the incremental table and a full refresh do not share."""
    table = f"{INCREMENTAL[name]}.{name}"
    columns = ", ".join(column for (column, *_) in con.execute(f"describe {table}").fetchall())
    kept, made_anew = f"select {columns} from {table}", f"select {columns} from ({whole})"
    return con.execute(f"({kept} except all {made_anew}) union all ({made_anew} except all {kept})").fetchall()


TOTALS = """
    select
        (select coalesce(sum(quantity), 0) from marts.fct_usage_daily where is_counted),
        (select coalesce(sum(quantity), 0) from intermediate.int_usage_without_item),
        (select coalesce(sum(quantity), 0) from staging.stg_stripe__meter_usage
            inner join intermediate.int_as_of using (account_id) where usage_date <= as_of),
        (select count(*) from (select 1 from marts.fct_usage_daily
            group by account_id, customer_id, meter_id, usage_date having sum(is_counted::int) != 1))
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_loads_daily_usage_is_what_a_full_refresh_makes_of_them(
    compiled: tuple[Path, list[str], dict[str, str]], seed: int, tmp_path: Path
) -> None:
    built, statements, wholes = compiled
    shutil.copytree(built, tmp_path / "data", ignore=shutil.ignore_patterns("dbt", "logs"))
    company = Company(tmp_path / "data", seed)

    for number in range(LOADS):
        company.load()
        with duckdb.connect(str(company.data / "warehouse.duckdb")) as con:
            for statement in statements:
                con.execute(statement)
            for name, whole in wholes.items():
                assert not _differences(con, name, whole), f"{name} after load {number}"
            counted, uncarried, used, miscounted = con.execute(TOTALS).fetchall()[0]
        assert (counted + uncarried, miscounted) == (used, 0)


def test_a_change_is_split_into_quantity_by_day_and_price_and_nothing_is_left(
    compiled: tuple[Path, list[str], dict[str, str]],
) -> None:
    """15 cents became 106: at the old price 53 units cost 27 (26.5), so 12 are quantity, of 23 units; 79 are price."""
    built, _, _ = compiled

    with duckdb.connect(str(built / "warehouse.duckdb"), read_only=True) as con:
        found = con.execute(
            "select driver, usage_date, quantity_change, amount_minor from marts.usage_drivers "
            "where customer_id = 'cus_grew' order by driver, usage_date nulls last"
        ).fetchall()

    assert found == [
        ("price", None, 0, 79),
        ("quantity", date(2026, 1, 15), 15, 8),  # 15/23 of 12 is 7.83
        ("quantity", date(2026, 1, 30), 7, 3),  # 22/23 of 12 is 11.48, less 8
        ("quantity", None, 1, 1),
    ]


def test_items_that_share_a_meter_count_its_usage_once_and_usage_without_an_item_is_kept(
    compiled: tuple[Path, list[str], dict[str, str]],
) -> None:
    built, _, _ = compiled

    with duckdb.connect(str(built / "warehouse.duckdb"), read_only=True) as con:
        days = con.execute(
            "select subscription_item_id, usage_date, quantity, is_counted from marts.fct_usage_daily "
            "where customer_id = 'cus_twice' and quantity > 0 order by usage_date, subscription_item_id"
        ).fetchall()
        uncarried = con.execute(
            "select usage_date, quantity from intermediate.int_usage_without_item where customer_id = 'cus_twice'"
        ).fetchall()

    assert days == [
        ("si_one", date(2026, 2, 3), 1, True),
        ("si_one", date(2026, 2, 8), 2, True),
        ("si_two", date(2026, 2, 8), 2, False),
        ("si_two", date(2026, 2, 15), 4, True),
    ]
    assert uncarried == [(date(2026, 1, 31), 8)]
