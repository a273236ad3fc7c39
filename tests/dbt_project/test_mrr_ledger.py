"""MRR against a ledger that looked at every subscription at the end of every day (tests/oracles/mrr_ledger.py)."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox import engine, state
from sandbox.clock import DAY, EVENT_RETENTION, WORLD_END
from tests.commands import dbt, in_sandbox
from tests.conftest import SMALL_COMPANY
from tests.oracles.mrr_ledger import Ledger, live, monthly, played_again, spans_by_day
from tests.sandbox.local import Local

DAYS = 35
MRR = ("--select", "+fct_mrr_movements", "fct_revenue_retention", "int_mrr_in_scope", "fct_cohort_retention")


@dataclass(frozen=True)
class Warehouse:
    """What a warehouse says of MRR, and of what the ledger can only explain with it."""

    as_of: date
    landed_from: date
    worth: dict[tuple[str, str, date], int]
    months: list[tuple[str, str, date, int, int]]  # customer, currency, day, committed, metered
    invoiced: dict[str, set[int]]  # item → what its periods were billed at where that is not what they are rated at

    @classmethod
    def read(cls, data: Path) -> Warehouse:
        with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
            ((as_of, landed_from),) = con.execute("select as_of, landed_from from intermediate.int_as_of").fetchall()
            spans = con.execute(
                "select subscription_item_id, component, valid_from, valid_to, mrr_minor "
                "from intermediate.int_mrr_spans"
            ).fetchall()
            months = con.execute(
                "select customer_id, currency, valued_on, committed_mrr_minor, metered_mrr_minor "
                "from marts.fct_mrr_monthly where mrr_minor > 0"
            ).fetchall()
            billed: dict[str, set[int]] = {}
            for item, amount in con.execute(
                "select subscription_item_id, invoiced_amount_minor from marts.fct_usage_periods "
                "where rated_amount_minor != invoiced_amount_minor"
            ).fetchall():
                billed.setdefault(item, set()).add(monthly(amount, {"interval": "month", "interval_count": 1}))
        return cls(as_of, landed_from.date(), spans_by_day(spans, as_of), months, billed)


def differences(ledger: Ledger, warehouse: Warehouse) -> dict[tuple[str, str, date], tuple[int, int]]:
    """Items and days on which the ledger and the warehouse disagree: (ledger, warehouse)."""
    keys = warehouse.worth.keys() | {key for key in ledger.worth if key[2] <= warehouse.as_of}
    both = {key: (ledger.worth.get(key, 0), warehouse.worth.get(key, 0)) for key in keys}
    return {key: pair for key, pair in both.items() if pair[0] != pair[1]}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The small company's, to the last midnight before its first load."""
    told = dict(zip(SMALL_COMPANY[::2], map(int, SMALL_COMPANY[1::2]), strict=True))
    folder = tmp_path_factory.mktemp("again")
    return played_again(folder, customers=told["--customers"], months=told["--months"], seed=told["--seed"])


@pytest.fixture(scope="module")
def later(
    modelled_company: Path, ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Ledger, dict[str, str]]:
    """The company 35 days on, changed through the API and loaded once more: its folder, its ledger, who was changed."""
    data = tmp_path_factory.mktemp("later") / "data"
    shutil.copytree(modelled_company, data)
    ledger = copy.deepcopy(ledger)
    local = Local.__new__(Local)
    local.store, local.seen = state.open_store(data / "sandbox"), {}
    changes = Changes(local)
    for day in range(DAYS):
        midnight = (local.now // DAY + 1) * DAY
        with local.store.transaction():
            engine.run(local.store, midnight - DAY // 2)
        changes.make(day)
        with local.store.transaction():
            live(local.store, midnight, ledger)
    engine.advance(local.store, midnight + 6 * 3600)
    local.store.db.close()
    loaded = in_sandbox(data, "dlt_pipelines", "load")
    assert loaded.returncode == 0, loaded.stderr
    built = dbt(data, "run", *MRR)
    assert built.returncode == 0, built.stdout
    return data, ledger, changes.who


class Changes:
    """What clients do to the company on some days; `who` keeps the subscriptions by what was done to them."""

    def __init__(self, local: Local) -> None:
        self.local, self.who = local, dict[str, str]()
        stable = [sub for sub in local.store.rows("subscription", status="active") if not sub["cancel_at_period_end"]]
        self.free = [sub["id"] for sub in stable if len(self.licensed(sub)) == 1 and not sub["discounts"]]
        self.seated = [sub["id"] for sub in stable if len(self.licensed(sub)) == 2 and not sub["discounts"]]

    @staticmethod
    def licensed(sub: Any) -> list[Any]:
        return [item for item in sub["items"]["data"] if item["price"]["recurring"]["usage_type"] == "licensed"]

    def pick(self, name: str, *, seated: bool = False) -> str:
        """A subscription nobody has touched, under a name."""
        self.who[name] = (self.seated if seated else self.free).pop()
        return self.who[name]

    def change(self, name: str, **params: Any) -> None:
        self.local.post(f"subscriptions/{self.who[name]}", **params)

    def item(self, name: str) -> Any:
        return self.licensed(self.local.store.get("subscription", self.who[name]))[-1]

    def make(self, day: int) -> None:
        if do := getattr(self, f"day_{day}", None):
            do()

    def day_1(self) -> None:
        """Its event is forgotten before the second load: 34 days are more than Stripe's 30."""
        self.pick("forgotten", seated=True)
        item = self.item("forgotten")
        self.change(
            "forgotten", items=[{"id": item["id"], "quantity": item["quantity"] + 7}], proration_behavior="none"
        )

    def day_6(self) -> None:
        self.pick("more seats", seated=True)
        item = self.item("more seats")
        self.change("more seats", items=[{"id": item["id"], "quantity": item["quantity"] + 3}])
        self.pick("collection paused")
        self.change("collection paused", pause_collection={"behavior": "void"})
        self.pick("paused")
        self.who["had a coupon"] = next(
            one["id"] for one in self.local.store.rows("subscription", status="active") if one["discounts"]
        )
        self.change("paused", metadata={"note": "no change of MRR"})

    def day_8(self) -> None:
        for coupon in (
            {"id": "TENTH", "percent_off": 10, "duration": "forever"},
            {"id": "OFF", "amount_off": 501, "duration": "repeating", "duration_in_months": 1},
            {"id": "ONCE", "percent_off": 50, "duration": "once"},
        ):
            currency = {} if "percent_off" in coupon else {"currency": self.currency(self.pick("stacked", seated=True))}
            self.local.post("coupons", **coupon, **currency)
        self.change("stacked", discounts=[{"coupon": "OFF"}, {"coupon": "TENTH"}])
        self.pick("once")
        self.change("once", discounts=[{"coupon": "ONCE"}])
        self.pick("item discount", seated=True)
        self.change(
            "item discount", items=[{"id": self.item("item discount")["id"], "discounts": [{"coupon": "TENTH"}]}]
        )

    def currency(self, subscription: str) -> str:
        return str(self.local.store.get("subscription", subscription)["currency"])

    def day_10(self) -> None:
        self.local.delete(f"subscriptions/{self.pick('canceled at once')}")
        self.pick("canceled later")
        self.change("canceled later", cancel_at_period_end=True)
        self.local.post(f"subscriptions/{self.who['paused']}/pause", type="subscription")
        product = self.local.store.rows("product")[0]["id"]
        for name, currency, amount, every in (
            ("yearly", "usd", 100_000, {"interval": "year"}),
            ("weekly", "usd", 700, {"interval": "week"}),
            ("quarterly", "jpy", 1_000, {"interval": "month", "interval_count": 3}),
            ("daily", "jpy", 55, {"interval": "day"}),
        ):
            terms = {"currency": currency, "unit_amount": amount, "recurring": every}
            price = self.local.post("prices", product=product, **terms)
            self.begin(name, price["id"], trial_period_days=7 if name == "quarterly" else None)

    def begin(self, name: str, price: str, **more: Any) -> None:
        customer = self.local.post("customers", name=name)["id"] if "customer" not in more else more.pop("customer")
        currency = self.local.store.get("price", price)["currency"]
        terms = {"customer": customer, "currency": currency, "items": [{"price": price, "quantity": 2}]}
        terms |= {"collection_method": "send_invoice", "days_until_due": 30}
        made = self.local.post("subscriptions", **terms, **{key: value for key, value in more.items() if value})
        self.who[name] = made["id"]

    def day_20(self) -> None:
        self.change("collection paused", pause_collection="")
        self.local.post(f"subscriptions/{self.who['paused']}/resume")
        self.change("had a coupon", discounts="")
        gone = self.local.store.get("subscription", self.who["canceled at once"])
        self.begin("back again", self.licensed(gone)[0]["price"]["id"], customer=gone["customer"])
        self.local.delete(f"subscription_items/{self.item('more seats')['id']}", proration_behavior="none")
        self.pick("other price", seated=True)
        fee, _ = self.licensed(self.local.store.get("subscription", self.who["other price"]))
        dearer = self.local.post(
            "prices", product=fee["price"]["product"], currency=fee["price"]["currency"],
            unit_amount=fee["price"]["unit_amount"] + 1_111, recurring={"interval": "month"},
        )  # fmt: skip
        self.change("other price", items=[{"id": fee["id"], "price": dearer["id"]}], proration_behavior="none")


def test_every_item_is_worth_what_the_ledger_says_each_day_or_the_difference_has_a_known_cause(
    modelled_company: Path, ledger: Ledger
) -> None:
    warehouse = Warehouse.read(modelled_company)
    found = differences(ledger, warehouse)
    unknown = {}
    for (item, component, day), (true, ours) in found.items():
        is_early = day < warehouse.landed_from
        # before the first load a change between two invoices is known with the second
        is_between_invoices = component == "committed" and ours == ledger.at_renewal[item, day]
        # Stripe sums usage by whole minutes, so a second on the wrong side of a border is rated elsewhere than billed
        is_border_minute = component == "metered" and true in warehouse.invoiced.get(item, ())
        if not (is_early and is_between_invoices) and not is_border_minute:
            unknown[item, component, day] = (true, ours)
    assert unknown == {}
    assert len(found) < len(warehouse.worth) / 100
    assert {component for _, component, _ in warehouse.worth} == {"committed", "metered"}


def test_after_the_first_load_every_change_counts_from_the_moment_it_was_made(
    later: tuple[Path, Ledger, dict[str, str]],
) -> None:
    data, ledger, who = later
    warehouse = Warehouse.read(data)
    log_begins = datetime.fromtimestamp(WORLD_END + DAYS * DAY - EVENT_RETENTION, UTC).date()
    unknown = {}
    for (item, component, day), pair in differences(ledger, warehouse).items():
        # of a change that Stripe's log had forgotten by the second load, the next thing told is the next renewal
        is_forgotten = ledger.worth.get((item, component, log_begins)) == pair[0]
        if day >= warehouse.landed_from and not is_forgotten:
            unknown[item, component, day] = pair
    assert unknown == {}
    assert len(who) == 16
    changed = {item for item, component, day in differences(ledger, warehouse) if day > log_begins}
    assert len(changed) <= 2


def test_a_month_is_the_sum_of_what_the_items_of_a_customer_are_worth_at_its_end(
    later: tuple[Path, Ledger, dict[str, str]],
) -> None:
    data, ledger, _ = later
    warehouse = Warehouse.read(data)
    ends, sums = {row[2] for row in warehouse.months}, dict[tuple[str, str, date], list[int]]()
    for (item, component, day), amount in warehouse.worth.items():
        if day in ends:
            both = sums.setdefault((*ledger.customers[item], day), [0, 0])
            both[component == "metered"] += amount
    assert sums == {row[:3]: list(row[3:]) for row in warehouse.months}
    assert warehouse.as_of in ends


def test_what_was_said_of_a_day_stays_said_though_more_is_loaded_later(
    modelled_company: Path, later: tuple[Path, Ledger, dict[str, str]]
) -> None:
    first, now = Warehouse.read(modelled_company), Warehouse.read(later[0])
    assert {key: worth for key, worth in now.worth.items() if key[2] <= first.as_of} == first.worth


def test_a_replay_of_an_earlier_day_says_of_each_day_what_is_said_today(
    later: tuple[Path, Ledger, dict[str, str]], tmp_path: Path
) -> None:
    now, data = Warehouse.read(later[0]), Path(shutil.copytree(later[0], tmp_path / "data"))
    day = date(2026, 11, 20)
    replayed = dbt(
        data,
        "run",
        "--select",
        "+int_mrr_spans",
        "--exclude",
        "path:models/staging",
        "--vars",
        json.dumps({"as_of": str(day)}),
    )
    assert replayed.returncode == 0, replayed.stdout
    then = Warehouse.read(data)
    assert then.as_of == day
    assert then.worth == {key: worth for key, worth in now.worth.items() if key[2] <= day}
