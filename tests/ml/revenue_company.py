"""MRR of made-up customers, as `features.revenue_months` has it: who leaves and how usage grows is known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

ACCOUNT = "acct_test"
FACTORS = {"usd": 1.0, "jpy": 0.66, "xxx": float("nan")}  # the last has no rate
PLANS = ("growth", "starter")


def months(
    *,
    count: int = 22,
    last: date = date(2026, 10, 1),
    customers: int = 60,
    currencies: tuple[str, ...] = ("jpy", "usd"),
    hazard: float = 0.02,
    growth: float = 0.01,
    noise: float = 0.1,
    seed: int = 7,
) -> pd.DataFrame:
    """One row per customer, plan, currency and month end in which it paid.

    hazard: chance to leave a month. growth: log growth a month of metered MRR, which each customer's month misses by
    `noise` (log standard deviation). A third are there from the start, the others join evenly.
    """
    rng = np.random.default_rng(seed)
    starts = pd.date_range(end=last, periods=count, freq="MS")
    rows = []
    for customer in range(customers):
        currency, plan = currencies[customer % len(currencies)], PLANS[customer // len(currencies) % len(PLANS)]
        joined = 0 if customer % 3 == 0 else int(rng.integers(0, count))
        committed, level = int(rng.integers(2_000, 20_000)), float(rng.integers(2_000, 20_000))
        for month in range(joined, count):
            if month > joined and rng.uniform() < hazard:
                break
            metered = level * np.exp(growth * (month - joined) + noise * rng.normal()) if month > joined else 0
            rows.append(
                {
                    "account_id": ACCOUNT,
                    "customer_id": f"cus_{customer:03d}",
                    "plan": plan,
                    "currency": currency,
                    "month_start": starts[month].date(),
                    "is_running": False,
                    "committed_mrr_minor": committed,
                    "metered_mrr_minor": round(metered),
                    "reporting_factor": FACTORS[currency],
                }
            )
    return pd.DataFrame(rows)


def loaded(rows: pd.DataFrame) -> pd.DataFrame:
    """The same as `revenue.load` gives it: money as floats, days as timestamps."""
    money = {name: rows[name].astype(float) for name in ("committed_mrr_minor", "metered_mrr_minor")}
    return rows.assign(month_start=pd.to_datetime(rows["month_start"]), **money)
