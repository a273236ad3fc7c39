import collections
import shutil
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox import engine, state
from sandbox.clock import DAY, HOUR, WORLD_END, add_months
from sandbox.rating import rate
from sandbox.store import Store


def lines_of(invoice: dict[str, Any]) -> list[dict[str, Any]]:
    return list(invoice["lines"]["data"])


def test_every_invoice_adds_up(company: Store) -> None:
    invoices = company.rows("invoice")
    assert len(invoices) > 150
    for invoice in invoices:
        lines = lines_of(invoice)
        discount = sum(taken["amount"] for line in lines for taken in line["discount_amounts"])
        assert invoice["subtotal"] == sum(line["amount"] for line in lines)
        assert sum(total["amount"] for total in invoice["total_discount_amounts"]) == discount
        assert invoice["total"] == invoice["subtotal"] - discount
        assert invoice["amount_due"] == invoice["total"] + invoice["starting_balance"] - invoice["ending_balance"]
        assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
        assert len(invoice["lines"]["data"]) == min(len(lines), 10)


def test_metered_lines_bill_the_usage_of_the_period_that_ended(company: Store) -> None:
    checked = 0
    for invoice in company.rows("invoice"):
        groups = collections.defaultdict(list)
        for line in lines_of(invoice):
            groups[line["parent"]["subscription_item_details"]["subscription_item"], line["period"]["start"]].append(
                line
            )
        for (_, start), lines in groups.items():
            price = company.get("price", lines[0]["pricing"]["price_details"]["price"])
            if price["recurring"]["usage_type"] == "licensed":
                assert start == invoice["created"]
                continue
            end = lines[0]["period"]["end"]
            assert end == invoice["created"]
            used = company.usage(
                company.get("billing.meter", price["recurring"]["meter"]), invoice["customer"], start, end
            )
            assert sum(Decimal(line["quantity_decimal"]) for line in lines) == used
            assert [line["amount"] for line in lines] == [part.amount for part in rate(price, used)]
            checked += 1
    assert checked > 300


def test_a_discount_is_ten_per_cent_of_each_line_while_it_runs(company: Store) -> None:
    discounts = {discount["id"]: discount for discount in company.rows("discount")}
    with_discount = [invoice for invoice in company.rows("invoice") if invoice["discounts"]]
    assert with_discount
    for invoice in with_discount:
        (identifier,) = invoice["discounts"]
        assert discounts[identifier]["start"] <= invoice["created"] < discounts[identifier]["end"]
        for line in lines_of(invoice):
            exact = Decimal(line["amount"]) * Decimal("0.1")
            taken = sum(row["amount"] for row in line["discount_amounts"])
            assert abs(taken - exact) <= Decimal("0.5")


def test_every_live_subscription_was_invoiced_once_a_month(company: Store) -> None:
    for sub in company.rows("subscription"):
        query = "select created from object where kind = 'invoice' and subscription = ? order by seq"
        times = [row[0] for row in company.db.execute(query, (sub["id"],))]
        assert times == [add_months(sub["billing_cycle_anchor"], month) for month in range(len(times))]
        if sub["status"] != "canceled":
            assert times[-1] <= WORLD_END < add_months(sub["billing_cycle_anchor"], len(times))


@pytest.fixture(scope="module")
def later(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The company 300 days after the world's end, to be read only."""
    store = state.open_store(Path(shutil.copytree(seeded, tmp_path_factory.mktemp("later") / "sandbox")))
    engine.advance(store, WORLD_END + 300 * DAY)
    return store


def test_no_usage_is_recorded_after_a_subscription_ended(later: Store) -> None:
    ended = [sub for sub in later.rows("subscription") if sub["ended_at"]]
    assert ended
    for sub in ended:
        query = "select count(*) from usage where customer = ? and at >= ?"
        assert later.db.execute(query, (sub["customer"], sub["ended_at"])).fetchone() == (0,)


def test_balances_are_the_sum_of_their_transactions(later: Store) -> None:
    moved = collections.Counter[str]()
    for row in later.rows("customer_balance_transaction"):
        moved[row["customer"]] += row["amount"]
    assert moved
    assert all(customer["balance"] == moved[customer["id"]] for customer in later.rows("customer"))


def test_time_goes_on_after_the_seed(company: Store, later: Store) -> None:
    assert later.now == WORLD_END + 300 * DAY
    newest = later.db.execute("select max(at) from usage").fetchone()[0]
    assert later.now - newest < DAY
    ended = [sub["ended_at"] for sub in later.rows("subscription") if (sub["ended_at"] or 0) > WORLD_END]
    assert ended
    assert len(later.rows("customer")) > len(company.rows("customer"))
    oldest = later.db.execute("select min(created) from object where kind = 'event'").fetchone()[0]
    assert oldest >= later.now - 30 * DAY


def test_unpaid_invoices_end_the_subscription_after_the_third_retry(later: Store) -> None:
    unpaid = [invoice for invoice in later.rows("invoice") if invoice["status"] == "uncollectible"]
    assert unpaid
    for invoice in unpaid:
        sub = later.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
        assert invoice["attempt_count"] == 4
        assert invoice["status_details"] == {"uncollectible": {"reason": "max_payment_attempts"}}
        assert sub["ended_at"] == invoice["status_transitions"]["finalized_at"] + 7 * DAY
        assert sub["cancellation_details"]["reason"] == "payment_failed"
        (payment,) = later.rows("invoice_payment", invoice=invoice["id"])
        assert payment["status"] == "open"  # an uncollectible invoice can still be paid


def test_some_failed_payments_are_recovered(later: Store) -> None:
    recovered = [i for i in later.rows("invoice") if i["status"] == "paid" and i["attempt_count"] > 1]
    assert recovered
    for invoice in recovered:
        waited = invoice["status_transitions"]["paid_at"] - invoice["status_transitions"]["finalized_at"]
        assert waited in (3 * DAY, 5 * DAY, 7 * DAY)


def test_customers_move_up_after_two_months_above_their_quota(later: Store) -> None:
    meter = next(row for row in later.rows("billing.meter") if row["event_name"] == "api_calls")
    prices = {price["id"]: price for price in later.rows("price")}
    moved = 0
    for sub in later.rows("subscription"):
        billed: dict[int, str] = {}  # when a licensed plan fee was billed → which
        for invoice in later.rows("invoice", subscription=sub["id"]):
            for line in lines_of(invoice):
                price = prices[line["pricing"]["price_details"]["price"]]
                if "_fee_" in price["lookup_key"]:
                    billed[invoice["created"]] = price["lookup_key"].split("_")[0]
        plans = list(billed.values())
        change = next((place for place, pair in enumerate(pairwise(plans)) if pair[0] != pair[1]), None)
        if change is None or change < 2:
            continue
        quota = next(p["tiers"][0]["up_to"] for p in prices.values() if f"{plans[change]}_api_calls" in p["lookup_key"])
        months = list(pairwise(list(billed)[: change + 2]))
        over = [later.usage(meter, sub["customer"], *month) > quota for month in months]
        assert any(first and second for first, second in pairwise(over))
        moved += 1
    assert moved >= 2


def test_two_steps_use_and_bill_what_one_step_does(copy: Path, later: Store) -> None:
    store = state.open_store(copy)
    for days in (17, 300):
        engine.advance(store, WORLD_END + days * DAY)
    totals = "select count(*), sum(value) from usage"
    assert store.db.execute(totals).fetchone() == later.db.execute(totals).fetchone()
    bills = "select json_extract(json, '$.number'), json_extract(json, '$.total') from object where kind = 'invoice'"
    once, twice = (sorted(row[1] for row in s.db.execute(bills)) for s in (later, store))
    assert once == twice


def test_late_usage_within_the_hour_is_on_the_invoice(copy: Path) -> None:
    store = state.open_store(copy)
    sub = next(s for s in store.rows("subscription") if s["status"] == "active" and not s["cancel_at_period_end"])
    end = sub["items"]["data"][0]["current_period_end"]
    engine.advance(store, end + HOUR // 2)
    draft = dict(store.get("invoice", store.get("subscription", sub["id"])["latest_invoice"]))
    assert draft["status"] == "draft"
    meter = next(row["id"] for row in store.rows("billing.meter") if row["event_name"] == "api_calls")
    row = (store.series(meter, sub["customer"]), end - 60, "late", 50_000_000 * 1_000_000, end + HOUR // 2)
    store.db.execute("insert into usage_event values (?, ?, ?, ?, ?)", row)
    engine.advance(store, end + HOUR)
    final = store.get("invoice", draft["id"])
    assert final["status"] != "draft"
    assert final["total"] > draft["total"]
    assert final["subtotal"] == sum(line["amount"] for line in lines_of(final))
