"""Every reason for a bill to differ from what its usage costs is planted once, and named by its own cause, no other."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.planted import plant
from tests.dbt_project.raw import (
    RawWarehouse,
    account,
    customer,
    epoch,
    meter,
    metered_item,
    metered_price,
    subscription,
)

START, END, LATER = "2026-01-10T14:23:00", "2026-02-10T14:23:00", "2026-03-10T14:23:00"
UNITS = {"unit_amount_decimal": "0.5"}
PRICES = {
    "price_calls": metered_price("price_calls", **UNITS, currency_options={"eur": {"unit_amount_decimal": "0.7"}}),
    "price_other": metered_price("price_other", unit_amount_decimal="0.75"),
    "price_absurd": metered_price("price_absurd", unit_amount_decimal="99999999999"),
    "price_bounded": metered_price(
        "price_bounded", billing_scheme="tiered", tiers_mode="graduated", tiers=[{"up_to": 80, **UNITS}]
    ),
}
# What is planted by hand: name, and the lines of its bill; all used 100 units from START to END, one a million.
BILLS: dict[str, list[dict[str, Any]]] = {
    "right": [{}],
    "euro": [{"currency": "eur", "amount": 70, "unit": "0.7"}],
    "yen": [{"currency": "jpy", "amount": 70, "unit": "0.7"}],
    "amount_changed": [{"amount": 60}],
    "no_unit_price": [{"amount": 60, "unit": None}],
    "trial": [{"amount": 0, "quantity": 0}],
    "two_prices": [
        {"amount": 20, "quantity": 40},
        {"price": "price_other", "amount": 45, "quantity": 60, "unit": "0.75"},
    ],
    "twice": [{}, {"invoice": "in_twice_again"}],
    "overlapping": [{}, {"start": "2026-02-01T00:00:00", "end": "2026-02-20T00:00:00", "amount": 9, "quantity": 18}],
    "no_price": [{"price": "price_gone"}],
    "no_item": [{"item": "si_nobody", "subscription": None}],
    "prorated": [{}, {"amount": -20, "quantity": 1, "proration": True}],
    "by_hand": [{}, {"item": None, "amount": 77}],
    "absurd": [{"price": "price_absurd", "amount": 10**12, "unit": "99999999999"}],
    "bounded": [{"price": "price_bounded"}],
    "unread": [{}],
    "early": [{"start": END, "end": LATER}],
}
CAUSES = {
    "right": [None],
    "euro": [None],
    "yen": ["price_not_rated"],
    "amount_changed": ["line_edited"],
    "no_unit_price": ["unexplained"],
    "trial": ["trial"],
    "two_prices": ["price_changed_in_period"] * 2,
    "twice": [None, "billed_twice"],
    "overlapping": [None, "overlapping_periods"],
    "no_price": ["price_not_landed"],
    "no_item": ["item_not_landed"],
    "prorated": [None, "proration"],
    "by_hand": [None, "manual_line"],
    "absurd": ["rating_overflow"],
    "bounded": ["price_not_rated"],
    "unread": ["usage_not_landed"],
    "early": ["not_covered_yet"],
}
# What is planted through Stripe's API: what each customer's groups are named, in order.
PLANTED = {
    "plain": [None],
    "tiered": [None],
    "dinar": [None],
    "swapped": [None],
    "dropped": [None, None],
    "late": ["usage_after_invoice"],
    "unseen": ["usage_differs_from_bill"],
    "seconds": ["seconds_outside_minute_grid"],
    "forgotten": ["customer_deleted"],
    "edited": [None, "line_edited"],
    "taken_off": [None, "line_removed"],
}


def _line(name: str, number: int, bill: dict[str, Any]) -> dict[str, Any]:
    price, unit = bill.get("price", "price_calls"), bill.get("unit", "0.5")
    item, owner = bill.get("item", f"si_{name}"), bill.get("subscription", f"sub_{name}")
    details = {"subscription": owner, "subscription_item": item, "proration": bill.get("proration", False)}
    kind = "subscription_item_details" if item else "invoice_item_details"
    return {
        "id": f"il_{name}_{number}",
        "invoice": bill.get("invoice", f"in_{name}"),
        "amount": bill.get("amount", 50),
        "quantity": bill.get("quantity", 100),
        "currency": bill.get("currency", "usd"),
        "period": {"start": epoch(bill.get("start", START)), "end": epoch(bill.get("end", END))},
        "pricing": {"price_details": {"price": price}, "unit_amount_decimal": unit},
        "parent": {"type": kind, kind: details},
    }


def _fill(raw: RawWarehouse) -> None:
    raw.add("accounts", [account()])
    raw.add("meters", [meter()])
    raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
    raw.add("prices", PRICES.values())
    began = {"created": epoch(START)}
    span = {"current_period_start": epoch(END), "current_period_end": epoch(LATER)}
    for name, lines in BILLS.items():
        trial = {"trial_end": epoch("2026-01-20")} if name == "trial" else {}
        raw.add("customers", [customer(f"cus_{name}", **began, name=name)])
        raw.add(
            "subscriptions", [subscription(f"sub_{name}", f"cus_{name}", start_date=epoch(START), **began, **trial)]
        )
        price = PRICES.get(lines[0].get("price", "price_calls"), PRICES["price_calls"])
        raw.add("subscription_items", [metered_item(f"si_{name}", f"sub_{name}", price, **began, **span)])
        invoices = {line["invoice"]: line for line in (_line(name, 0, bill) for bill in lines)}
        for number, each in enumerate(invoices):
            made = {"created": epoch(END) + number, "customer": f"cus_{name}", "currency": invoices[each]["currency"]}
            raw.add(
                "invoices", [{"id": each, "status": "open", **made, "status_transitions": {"finalized_at": epoch(END)}}]
            )
        raw.add("invoice_lines", [_line(name, number, bill) for number, bill in enumerate(lines)])
        if name != "unread":
            used = 10**6 if name == "absurd" else 100
            raw.add_usage(f"cus_{name}", {"2026-01-20": used})
            raw.add_period_usage(f"cus_{name}", START[:16], END[:16], used)
    raw.report_load("2026-03-01")


@pytest.fixture(scope="module")
def reconciled(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Both accounts in one warehouse, reconciled: what was planted through the API, and what by hand."""
    data = tmp_path_factory.mktemp("planted") / "data"
    plant(data)
    with RawWarehouse(data) as raw:
        _fill(raw)
    only = ("--resource-type", "model", "--resource-type", "seed", "--threads", "1")
    built = dbt(data, "build", "--select", "+fct_invoice_reconciliation", "+fct_invoice_lines", *only)
    assert built.returncode == 0, built.stdout
    return duckdb.connect(str(data / "warehouse.duckdb"), read_only=True)


def _causes(con: duckdb.DuckDBPyConnection) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    for name, cause in con.execute(
        "select customers.name, reconciled.difference_cause from marts.fct_invoice_reconciliation as reconciled "
        "inner join staging.stg_stripe__customers as customers using (account_id, customer_id) "
        "order by 1, reconciled.difference_cause nulls first"
    ).fetchall():
        found.setdefault(name, []).append(cause)
    return found


def test_every_planted_difference_is_named_by_its_cause_and_nothing_else_is(
    reconciled: duckdb.DuckDBPyConnection,
) -> None:
    assert _causes(reconciled) == PLANTED | CAUSES


def test_the_groups_add_up_to_every_metered_line_of_final_invoices(reconciled: duckdb.DuckDBPyConnection) -> None:
    """Against the payloads as they landed: a line counts if its price, or its item's, is metered."""
    ours = reconciled.execute(
        "select account_id, currency, sum(invoiced_amount_minor)::bigint, sum(line_count)::bigint "
        "from marts.fct_invoice_reconciliation group by all order by all"
    ).fetchall()
    stripes = reconciled.execute(
        """
        with newest as (
            select * from raw_stripe.invoice_lines
            qualify row_number() over (partition by account_id, id order by loaded_at desc, rowid desc) = 1
        ),
        read as (
            select account_id, (payload ->> '$.amount')::bigint as amount, payload ->> '$.currency' as currency,
                payload ->> '$.pricing.price_details.price' as price,
                payload ->> '$.parent.subscription_item_details.subscription_item' as item,
                coalesce(parent_id, payload ->> '$.invoice') as invoice
            from newest where not is_deleted
        )
        select account_id, currency, sum(amount)::bigint, count(*)
        from read
        where (
            price in (select id from raw_stripe.prices where payload ->> '$.recurring.usage_type' = 'metered')
            or item in (
                select id from raw_stripe.subscription_items
                where payload ->> '$.price.recurring.usage_type' = 'metered'
            )
        ) and invoice in (
            select id from raw_stripe.invoices where payload ->> '$.status_transitions.finalized_at' is not null
        )
        group by all order by all
        """
    ).fetchall()

    assert len(stripes) > 4
    assert ours == stripes


def test_a_period_costs_the_sum_of_its_steps_or_nothing_is_said_of_it(reconciled: duckdb.DuckDBPyConnection) -> None:
    wrong = reconciled.execute(
        "select periods.subscription_item_id, rated_amount_minor, amount from marts.fct_usage_periods as periods "
        "left join (select subscription_item_id, period_start, if(bool_or(amount_minor is null), null, "
        "sum(amount_minor)) as amount from marts.fct_rating_steps group by all) as steps "
        "using (subscription_item_id, period_start) where rated_amount_minor is distinct from amount"
    ).fetchall()

    assert wrong == []


def test_an_absurd_product_and_a_missing_tier_stand_in_the_steps_without_an_amount(
    reconciled: duckdb.DuckDBPyConnection,
) -> None:
    steps = reconciled.execute(
        "select subscription_item_id, step_number, tier_quantity, unit_amount_decimal is null, amount_minor "
        "from marts.fct_rating_steps where subscription_item_id in ('si_absurd', 'si_bounded') "
        f"and period_start = timestamp '{START}' order by all"
    ).fetchall()

    assert steps == [
        ("si_absurd", 1, 10**6, False, None),
        ("si_bounded", 1, 80, False, 40),
        ("si_bounded", 2, 20, True, None),
    ]
