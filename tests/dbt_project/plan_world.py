"""Customers of a small price list, each at one boundary of an advice; amounts in minor units.

Small: 5,000 a month with 1,000 calls, 10 a call beyond. Large: 10,000 with 5,000, then 8. Huge: 12,000 with 20,000,
then 8. So 1,500 calls cost the same on Small and Large. Tight, in pounds only, includes no more than Small. Thin and
Thick have no quota: 10 a run, and 5,000 and 1 a run.
Periods run from the 10th: 22 days are over, 9 are to come.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.dbt_project.plan_bench import ACCOUNT, ALERTS, AS_OF, MOVES, QUOTES, PlanBench, at

START, END, LAST, BEFORE = at("2026-10-10"), at("2026-11-10"), at("2026-09-10"), at("2026-08-10")
# name: rank, fee, included, price of a unit beyond, meter
PLANS = {
    "small": (1, 5000, 1000, 10, "calls"),
    "large": (2, 10000, 5000, 8, "calls"),
    "huge": (5, 12000, 20000, 8, "calls"),
    "tight": (6, 13000, 1000, 8, "calls"),
    "thin": (1, 0, 0, 10, "runs"),
    "thick": (2, 5000, 0, 1, "runs"),
}
DRAWS = 200
TIER = {"billed_multiple_of": 1, "flat_amount_decimal": 0, "package_size": None}


def paths(*groups: tuple[int, float]) -> list[float]:
    """200 quantities, from pairs of how many and how much."""
    drawn = [quantity for count, quantity in groups for _ in range(count)]
    assert len(drawn) == DRAWS
    return drawn


class PlanWorld:
    def __init__(self) -> None:
        self.bench = PlanBench()
        for meter in ("calls", "runs"):
            self.bench.put("staging.stg_stripe__meters", [{"meter_id": meter, "meter_name": meter, "status": "active"}])
        for currency, interval in (("usd", "month"), ("jpy", "month"), ("usd", "year")):
            for name in PLANS:
                if name != "tight":
                    self._price_plan(name, currency, interval)
        for name, currency in (("small", "eur"), ("small", "gbp"), ("tight", "gbp")):
            self._price_plan(name, currency, "month")

    def _price_plan(self, name: str, currency: str, interval: str) -> None:
        rank, fee, included, unit, meter = PLANS[name]
        shared = {"product_id": f"prod_{name}", "product_name": name.title(), "plan_rank": rank, "currency": currency,
                  "billing_interval": interval, "interval_count": 1, "is_active": True}  # fmt: skip
        for part, usage_type in (("fee", "licensed"), ("usage", "metered")):
            price, is_metered = self.price(name, part, currency, interval), part == "usage"
            units = included if is_metered and included else None
            row = {"price_id": price, "usage_type": usage_type, "included_units": units}
            self.bench.put("marts.dim_prices", [shared | row | {"meter_id": meter if is_metered else None}])
            bounds = [(0, included, 0), (included, None, unit)] if units else [(0, None, unit if is_metered else fee)]
            mode = "graduated" if units else "per_unit"
            self.tiers(price, currency, mode, [(*bound, 0) for bound in bounds])

    def price(self, name: str, part: str, currency: str = "usd", interval: str = "month") -> str:
        return f"price_{name}_{part}_{currency}_{interval}"

    def tiers(self, price: str, currency: str, mode: str, tiers: Sequence[tuple[Any, ...]], **more: Any) -> None:
        """tiers: lower and upper bound, unit amount, flat amount."""
        for number, (lower, upper, unit, flat) in enumerate(tiers, 1):
            row = {"price_id": price, "currency": currency, "rating_mode": mode, "tier_index": number,
                   "lower_bound": lower, "upper_bound": upper, "unit_amount_decimal": unit,
                   "is_included": mode == "graduated" and unit == 0}  # fmt: skip
            self.bench.put("intermediate.int_price_tiers", [TIER | row | {"flat_amount_decimal": flat} | more])

    def customer(
        self, name: str, plan: str = "small", *, so_far: float = 100, last: float | None = 100,
        before: float | None = 100, running: Sequence[float] = (100,) * DRAWS,
        following: Sequence[float] = (100,) * DRAWS, currency: str = "usd", interval: str = "month",
        probability: float = 0.03, dim: dict[str, Any] | None = None, staged: dict[str, Any] | None = None,
        item: dict[str, Any] | None = None, elapsed: int = 22,
    ) -> None:  # fmt: skip
        """A customer with one subscription: a fee, and usage of the last periods, the running and the next one."""
        put, sub, used = self.bench.put, f"sub_{name}", f"si_{name}_usage"
        included = PLANS[plan][2] or None
        put("marts.dim_customers", [{"customer_id": f"cus_{name}", "name": f"The {name.title()} Company"}])
        put("staging.stg_stripe__customers", [{"customer_id": f"cus_{name}", "currency": currency, "livemode": False,
                                               "is_deleted": False, "is_delinquent": False}])  # fmt: skip
        put("marts.churn_risk", [{"customer_id": f"cus_{name}", "is_current": True, "horizon_days": 90,
                                  "probability": probability, "base_rate": 0.05}])  # fmt: skip
        put("marts.fct_mrr_monthly", [{"customer_id": f"cus_{name}", "currency": currency, "mrr_minor": 20000,
                                       "month_start": AS_OF.replace(day=1)}])  # fmt: skip
        shared = {"subscription_id": sub, "customer_id": f"cus_{name}", "currency": currency, "status": "active"}
        put("intermediate.int_subscriptions", [{"subscription_id": sub, "customer_id": f"cus_{name}"}])
        put("marts.dim_subscriptions", [shared | {"cancel_at_period_end": False} | (dim or {})])
        put("staging.stg_stripe__subscriptions",
            [shared | {"livemode": False, "is_deleted": False, "discounts": []} | (staged or {})])  # fmt: skip
        for part, quantity in (("fee", 1), ("usage", None)):
            row = {"subscription_item_id": f"si_{name}_{part}", "subscription_id": sub, "is_deleted": False,
                   "price_id": self.price(plan, part, currency, interval), "quantity": quantity, "discounts": [],
                   "meter_id": PLANS[plan][4] if part == "usage" else None,
                   "current_period_start": START, "current_period_end": END}  # fmt: skip
            put("staging.stg_stripe__subscription_items", [row | (item or {})])
        run_rate = so_far * 31 / elapsed if elapsed else None
        middle: float | None = sorted(running)[len(running) // 2 - 1] if running else None
        period = {"subscription_item_id": used, "subscription_id": sub, "customer_id": f"cus_{name}",
                  "meter_id": PLANS[plan][4], "price_id": self.price(plan, "usage", currency, interval),
                  "currency": currency, "as_of": AS_OF, "period_start": START, "period_end": END,
                  "days_elapsed": elapsed, "days_in_period": 31, "days_remaining": 31 - elapsed,
                  "included_units": included, "quantity_so_far": so_far, "median_quantity": middle,
                  "projected_quantity_low": min(running, default=so_far),
                  "projected_quantity_high": max(running, default=so_far), "run_rate_quantity": run_rate,
                  "model_version": "1"}  # fmt: skip
        put("intermediate.int_open_periods_forecast", [period])
        for closed, starts, ends in ((last, LAST, START), (before, BEFORE, LAST)):
            if closed is not None:
                put("intermediate.int_usage_periods_settled",
                    [{"subscription_item_id": used, "quantity": closed, "period_start": starts, "period_end": ends,
                      "rated_amount_minor": int(max(closed - (included or 0), 0) * PLANS[plan][3])}])  # fmt: skip
        for number, drawn in ((0, running), (1, following)):
            self._draw(used, number, drawn, run_rate)

    def _draw(self, item: str, number: int, drawn: Sequence[float], run_rate: float | None) -> None:
        numbers: list[int] = list(range(1, len(drawn) + 1))
        quantities: list[float | None] = list(drawn)
        if number == 0:
            numbers, quantities = [0, *numbers], [run_rate, *quantities]
        self.bench.con.execute(
            "insert into intermediate.int_usage_paths_rated by name select ? as account_id,"
            " ? as subscription_item_id, ? as period_start, false as is_backtest, ? as period_number,"
            " unnest(?::integer[]) as path, unnest(?::double[]) as quantity",
            [ACCOUNT, item, START if number == 0 else END, number, numbers, quantities],
        )
        ordered = sorted(drawn)
        shares = {"q025": 0.025, "q10": 0.1, "median": 0.5, "q90": 0.9, "q975": 0.975}
        places = {name: max(int(share * len(ordered) + 0.999999) - 1, 0) for name, share in shares.items()}
        bands = {f"{name}_quantity": ordered[place] if ordered else None for name, place in places.items()}
        if drawn or number == 0:
            rest = {"subscription_item_id": item, "is_backtest": False, "period_number": number}
            self.bench.put("intermediate.int_usage_paths_periods", [rest | bands | {"run_rate_quantity": run_rate}])

    def moves(self) -> None:
        self.bench.make(*MOVES)

    def quotes(self) -> None:
        self.bench.make(*QUOTES)

    def alerts(self) -> None:
        self.bench.make(*ALERTS)

    def proposed(self, kind: str) -> dict[str, dict[str, Any]]:
        """Proposals of a kind (in plural) by the customer's name."""
        found = self.bench.rows(f"from intermediate.int_{kind}_proposed")
        named = {row["customer_id"].removeprefix("cus_"): row for row in found}
        assert len(named) == len(found)
        return {name: row | {"said": json.loads(row["words"])} for name, row in named.items()}
