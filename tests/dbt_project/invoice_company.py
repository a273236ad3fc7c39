"""Customers whose next invoices each show one thing, and what a model would say of them (test_invoice_forecast.py)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.dbt_project.invoice_bench import AS_OF, InvoiceBench
from tests.oracles.rating import rated_steps

at = datetime.fromisoformat  # UTC without zone, as the warehouse keeps it
START, END = at("2026-10-16"), at("2026-11-16")
NEXT_END, FOREVER = at("2026-12-16"), at("9999-12-31")
# 1,000 calls are free, further ones cost 10 minor units; volume: all at 2, or all at 1 from 501 on
TIERS = [{"up_to": 1000, "unit_amount_decimal": "0"}, {"up_to": None, "unit_amount_decimal": "10"}]
VOLUME = [{"up_to": 500, "unit_amount_decimal": "2"}, {"up_to": None, "unit_amount_decimal": "1"}]
SEAT, SEATS = 700, 3
DRAWS = 12


def price(identifier: str) -> dict[str, Any]:
    mode, tiers = ("volume", VOLUME) if identifier == "price_volume" else ("graduated", TIERS)
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": tiers, "currency": "usd"}


def cost(identifier: str, quantity: float) -> int:
    return sum(step.amount or 0 for step in rated_steps(price(identifier), Decimal(str(quantity))))


class Company:
    """Customers put into a bench one by one; remembers the paths that it draws for them."""

    def __init__(self, bench: InvoiceBench) -> None:
        self.bench = bench
        self.paths: dict[tuple[str, int], list[float]] = {}
        for identifier in ("price_calls", "price_volume"):
            lower = 0
            for index, tier in enumerate(price(identifier)["tiers"], 1):
                terms = {"rating_mode": price(identifier)["tiers_mode"], "tier_index": index, "flat_amount_decimal": 0}
                bounds = {"lower_bound": lower, "upper_bound": tier["up_to"], "billed_multiple_of": 1}
                amount = {"unit_amount_decimal": Decimal(tier["unit_amount_decimal"]), "currency": "usd"}
                bench.put("intermediate.int_price_tiers", [{"price_id": identifier} | terms | bounds | amount])
                lower = tier["up_to"]
        seat = {"rating_mode": "per_unit", "tier_index": 1, "lower_bound": 0, "unit_amount_decimal": SEAT}
        for currency in ("usd", "xyz"):
            bench.put(
                "intermediate.int_price_tiers",
                [
                    seat
                    | {
                        "price_id": "price_seat",
                        "currency": currency,
                        "flat_amount_decimal": 0,
                        "billed_multiple_of": 1,
                    }
                ],
            )
        for identifier in ("price_calls", "price_volume", "price_seat", "price_bare"):
            product = {"price_id": identifier, "product_id": identifier.replace("price", "prod")}
            bench.put("marts.dim_prices", [product | {"billing_interval": "month", "interval_count": 1}])

    def subscribe(
        self, name: str, customer: str = "", *, currency: str = "usd", end: datetime = END, **more: Any
    ) -> None:
        """A subscription `sub_name` with three seats."""
        known = {"subscription_id": f"sub_{name}", "customer_id": customer or f"cus_{name}", "currency": currency}
        state = {"standing": "served", "cancel_at_period_end": False} | more
        self.bench.put("intermediate.int_subscriptions", [known | state])
        self.bench.put("staging.stg_stripe__subscriptions", [{"subscription_id": f"sub_{name}"}])
        self.bench.put("marts.dim_subscriptions", [{"subscription_id": f"sub_{name}", "plan": "starter"}])
        self.item(name, "seat", currency=currency, end=end)

    def item(self, name: str, part: str, *, currency: str = "usd", end: datetime = END, **more: Any) -> None:
        item = {"subscription_item_id": f"si_{part}_{name}", "subscription_id": f"sub_{name}", "currency": currency}
        period = {"current_period_start": START, "current_period_end": end}
        terms = {
            "price_id": f"price_{part}",
            "is_metered": part != "seat",
            "quantity": None if part != "seat" else SEATS,
        }
        life = {"is_alive": True, "is_deleted": False, "first_day": date(2026, 1, 1), "aggregation_formula": "sum"}
        self.bench.put("intermediate.int_subscription_items", [item | period | terms | life | more])

    def meter(
        self, name: str, part: str = "calls", *, used: float = 0, ahead: list[float] | None = None,
        currency: str = "usd", end: datetime = END, trial: bool = False, draws: bool = True, **more: Any,
    ) -> None:  # fmt: skip
        """A metered item with an open period, and paths of it and of the next one that add `ahead` to what is used."""
        self.item(name, part, currency=currency, end=end, **more)
        item = f"si_{part}_{name}"
        spread = ahead or [path * 733.25 % 2500 for path in range(DRAWS)]
        ahead = [spread[path % len(spread)] for path in range(DRAWS)]
        elapsed = {"days_elapsed": 16, "days_in_period": (end - START).days, "quantity": used}
        known = {
            "subscription_item_id": item,
            "subscription_id": f"sub_{name}",
            "meter_id": "mtr",
            "currency": currency,
        }
        state = {"is_open": True, "is_trial": trial, "is_estimated": False}
        state["aggregation_formula"] = more.get("aggregation_formula", "sum")
        period = {"period_start": START, "period_end": end, "price_id": f"price_{part}"}
        self.bench.put("marts.fct_usage_periods", [known | state | period | elapsed])
        for number, (start, until) in enumerate([(START, end), (end, NEXT_END)]):
            period = {"subscription_item_id": item, "period_start": start}
            self.bench.put(
                "intermediate.int_usage_periods_ahead",
                [period | {"origin_date": AS_OF, "period_end": until, "is_scoring": True}],
            )
            so_far = used if number == 0 else 0
            self.paths[item, number] = [so_far + more_used for more_used in ahead]
            for path, more_used in enumerate(ahead if draws else [], 1):
                drawn = {"path": path, "quantity_so_far": so_far, "path_quantity": more_used, "period_number": number}
                by = {"as_of": AS_OF, "is_backtest": False, "method": "xgboost", "model_version": "1"}
                self.bench.put("staging.stg_ml__usage_paths", [period | drawn | by])

    def discount(self, name: str, identifier: str, **more: Any) -> None:
        life = {"valid_from": at("2026-01-01"), "valid_to": FOREVER, "duration": "forever", "owner_rank": 2}
        known = {"subscription_id": f"sub_{name}", "discount_id": identifier}
        self.bench.put("intermediate.int_discounts_placed", [known | life | more])

    def grant(self, customer: str, identifier: str, amount: int, **more: Any) -> None:
        life = {"created_at": at("2026-01-01"), "effective_at": at("2026-01-01"), "is_deleted": False}
        money = {"currency": "usd", "amount_minor": amount, "priority": 50, "category": "paid"}
        row = {"credit_grant_id": identifier, "customer_id": f"cus_{customer}"} | life | money | more
        self.bench.put("staging.stg_stripe__credit_grants", [row])

    def balance(self, customer: str, amount: int) -> None:
        row = {"customer_id": f"cus_{customer}", "currency": "usd", "balance_minor": amount, "is_deleted": False}
        self.bench.put("staging.stg_stripe__customers", [row])


def plant(company: Company) -> None:
    company.subscribe("edge")
    company.meter("edge", used=500, ahead=[400.0, 800.0])  # 900 is free, 1,300 costs 3,000: 1,500 in the mean
    company.subscribe("whole")
    company.meter("whole", used=300)
    company.meter("whole", "volume", used=100)
    company.discount("whole", "di_1", percent_off=Decimal("12.5"), position=1)
    company.discount("whole", "di_2", amount_off_minor=901, currency="usd", position=2)
    company.discount("whole", "di_over", percent_off=50, position=3, valid_to=END)
    company.discount("whole", "di_calls", percent_off=10, owner_rank=1, subscription_item_id="si_calls_whole")
    pending = {"invoice_item_id": "ii_1", "customer_id": "cus_whole", "subscription_id": "sub_whole", "currency": "usd"}
    waits = {"amount_minor": 450, "is_discountable": True, "is_deleted": False, "created_at": at("2026-10-20")}
    company.bench.put("staging.stg_stripe__invoice_items", [pending | waits])
    company.grant("whole", "cg_late", 4000, expires_at=at("2027-06-01"))
    company.grant("whole", "cg_first", 1500, priority=1, scope_price_ids=["price_volume"])
    company.grant("whole", "cg_spent_after", 900, expires_at=END)
    company.balance("whole", -3000)
    for name in ("two_a", "two_b"):
        company.subscribe(name, "cus_two", end=END if name == "two_a" else END + timedelta(days=5))
    company.balance("two", -SEAT * SEATS - 100)
    company.subscribe("last", cancel_at_period_end=True, canceled_at=at("2026-10-20"))
    company.meter("last", used=1100, ahead=[0.0])
    company.subscribe("trial")
    company.meter("trial", used=5000, ahead=[1000.0], trial=True)
    company.subscribe("early")
    company.meter("early", first_day=AS_OF - timedelta(days=3))
    company.subscribe("unscored")
    company.meter("unscored", draws=False)
    company.subscribe("bare")
    company.meter("bare", "bare")
    company.subscribe("strange", currency="xyz")
    company.subscribe("yearly", end=at("2027-10-16"))
    company.meter("yearly", end=at("2027-10-16"), draws=False)
    company.subscribe("paused", standing="suspended")
    # what a meter keeps as its last value is not added to what it had: 1,200 gigabytes, not 6,200
    company.subscribe("gauge")
    company.meter("gauge", used=5000, ahead=[1200.0], aggregation_formula="last")
    company.subscribe("mixed")
    company.meter("mixed", end=at("2027-10-16"), draws=False)
    company.discount("mixed", "di_once", duration="once", percent_off=50)


def plant_backtest(company: Company) -> None:
    """70 items of three paths (90, 100, 110), of which 60 were looked at in the first quarter of their period."""
    looked_at = at("2026-08-08")
    for number in range(70):
        start = looked_at - timedelta(days=5 if number < 60 else 20)
        item = {"subscription_item_id": f"si_past_{number}", "period_start": start}
        life = {"is_open": False, "is_trial": False, "is_estimated": False, "days_in_period": 31, "currency": "usd"}
        owner = {"subscription_id": f"sub_past_{number}", "customer_id": "cus_past", "price_id": "price_calls"}
        came = {"quantity": 70 + number, "rated_amount_minor": 0, "period_end": start + timedelta(days=31)}
        company.bench.put("marts.fct_usage_periods", [item | life | owner | came])
        by = {"as_of": looked_at.date(), "is_backtest": True, "method": "xgboost", "model_version": "1"}
        for path in (1, 2, 3):
            drawn = {"path": path, "quantity_so_far": 0, "path_quantity": 80 + 10 * path, "period_number": 0}
            company.bench.put("staging.stg_ml__usage_paths", [item | drawn | by])
