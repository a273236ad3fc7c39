"""A small made-up warehouse with exactly the contract's feature tables, for tests of ml only.

Features are computed here in plain numpy, apart from dbt's SQL: what ml needs is their shape and that each is a
function of the days up to its origin.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.ml import revenue_company

Floats = NDArray[np.float64]
AS_OF = date(2026, 10, 31)
ACCOUNT = "acct_test"


def build(
    path: Path,
    *,
    items: int = 24,
    days: int = 260,
    customers: int = 60,
    seed: int = 7,
    churn: str = "mixed",
    usage: str = "weekly",
) -> Path:
    """Write the warehouse anew.

    usage: "weekly" (level, weekday pattern, busy first days of a month, months that run high or low by chance, noise:
    more than a mean of four weekdays knows; item 0 is mostly zero, item 1 is 12 days old) or "naive"
    (each week repeats the last one exactly, so no model can beat the seasonal naive).
    churn: "mixed" labels of both horizons that depend on usage_ratio_28_91 below 1, "none" (one class) or
    "unmatured" (no label yet).
    """
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    daily = _daily(rng, items, days, usage)
    usage_rows, asof_rows = _usage(daily)
    customer_rows, label_rows = _customers(rng, customers, churn)
    tables = {
        "marts.fct_usage_daily": usage_rows,
        "features.usage_asof": asof_rows,
        "features.customer_asof": customer_rows,
        "features.churn_labels": label_rows,
        "features.usage_periods_ahead": _periods(asof_rows),
        "marts.fct_mrr_monthly": _mrr(rng),
        "features.revenue_months": revenue_company.months(),
    }
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema features; create schema marts;").fetchall()
        for name, frame in tables.items():
            connection.register("incoming", frame)
            casts = [f"{c}::date as {c}" if _is_day(c) else c for c in frame.columns]
            casts = [f"{c}::double[{126 if c == 'year_before' else 7}] as {c}" if _is_list(c) else c for c in casts]
            connection.execute(f"create table {name} as select {', '.join(casts)} from incoming").fetchall()
            connection.unregister("incoming")
    return path


def empty(path: Path) -> Path:
    """The same tables without a row: an account with no customers."""
    build(path, items=2, days=60, customers=2)
    with duckdb.connect(str(path)) as connection:
        for schema, name in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            connection.execute(f"delete from {schema}.{name}").fetchall()
    return path


def drifted(*, is_breach: bool, model: str = "usage_forecast") -> pd.DataFrame:
    """One row of the score table feature_drift, without its run columns."""
    row = {"feature": "level", "segment": "items", "test": "shape", "psi": 0.9, "psi_limit": 0.2, "n": 500}
    told = {"is_breach": is_breach, "alert_key": "drift:shape:level:items", "consequence": "promotion waits"}
    figures = {"statistic": 0.9, "statistic_limit": 0.2, "p_value": 1e-9, "effect": None}
    return pd.DataFrame([{"model_name": model, **row, **figures, **told}]).assign(as_of=AS_OF)


def change(path: Path, statement: str) -> None:
    """Run one SQL statement on the warehouse."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement).fetchall()


def _is_day(column: str) -> bool:
    return column.endswith(("date", "_on")) or column == "month_start"


def _is_list(column: str) -> bool:
    return column == "year_before" or column.startswith("same_weekday")


def _daily(rng: np.random.Generator, items: int, days: int, usage: str) -> Floats:
    level = np.exp(rng.normal(4, 1, items))[:, None]
    weekday = 1 + 0.5 * rng.uniform(-1, 1, (items, 7))
    pattern = np.tile(weekday, (1, days // 7 + 1))[:, :days]
    if usage == "naive":
        return level * pattern
    blocks = rng.normal(0, 0.2, (items, days // 28 + 1))
    month = np.exp(np.repeat(blocks, 28, axis=1)[:, -days:])
    first = AS_OF - timedelta(days=days - 1)
    busy = np.array([2.0 if (first + timedelta(days=day)).day <= 5 else 1.0 for day in range(days)])
    values: Floats = level * pattern * month * busy * np.exp(rng.normal(0, 0.2, (items, days)))
    values[0] *= rng.uniform(size=days) < 0.2
    values[1, :-12] = np.nan
    return values


def _usage(daily: Floats) -> tuple[pd.DataFrame, pd.DataFrame]:
    count, days = daily.shape
    first = AS_OF - timedelta(days=days - 1)
    usage, rows = [], []
    for item in range(count):
        keys = {
            "account_id": ACCOUNT,
            "subscription_item_id": f"si_{item:03d}",
            "customer_id": f"cus_{item % 30:03d}",
            "meter_id": f"mtr_{item % 3}",
        }
        born = int(np.flatnonzero(~np.isnan(daily[item]))[0])
        for day in range(born, days):
            usage.append({**keys, "usage_date": first + timedelta(days=day), "quantity": daily[item, day]})
        for back in range(52, -1, -1):
            end = days - 1 - 7 * back
            if end < born:
                continue
            origin = first + timedelta(days=end)
            seen = daily[item, born : end + 1]
            extra = {"currency": "usd", "price_id": "price_1", "plan": "growth", "origin_date": origin}
            rows.append({**keys, **extra, "is_scoring": back == 0, **_features(seen, origin)})
    return pd.DataFrame(usage), pd.DataFrame(rows)


def _features(seen: Floats, origin: date) -> dict[str, object]:
    found: dict[str, object] = {f"mean_{n}": seen[-n:].mean() for n in (7, 14, 28, 56, 91, 364)}
    found["level"] = (seen[-28:].mean() + seen[-91:].mean()) / 2
    found |= {"history_days": float(len(seen)), "sd_28": seen[-28:].std(), "zero_share_28": (seen[-28:] == 0).mean()}
    nonzero = np.flatnonzero(seen)
    found["days_since_nonzero"] = float(len(seen) - 1 - nonzero[-1]) if len(nonzero) else float(len(seen))
    found |= {f"last_{n}": seen[-n] if len(seen) >= n else np.nan for n in (1, 2, 3, 7)}
    for name, weeks, rule in (
        ("same_weekday_last", 1, np.mean),
        ("same_weekday_mean_4", 4, np.mean),
        ("same_weekday_mean_8", 8, np.mean),
        ("same_weekday_median_8", 8, np.median),
    ):
        values = []
        for weekday in range(7):
            back = (origin.weekday() - weekday) % 7
            known = seen[::-1][back::7][:weeks]
            values.append(float(rule(known)) if len(known) else None)
        found[name] = values
    before = [len(seen) - 1 + step - 391 for step in range(126)]
    found["year_before"] = [float(seen[place]) if 0 <= place < len(seen) else None for place in before]
    return found


def _periods(rows: pd.DataFrame) -> pd.DataFrame:
    """At every fourth origin: a period of 30 days that began 10 days before, and the next."""
    found: list[dict[str, object]] = []
    for item in rows.to_dict("records"):
        origin: date = item["origin_date"]
        if (AS_OF - origin).days % 28:
            continue
        keys = {name: item[name] for name in ("account_id", "subscription_item_id", "origin_date")}
        for number, (first, last) in enumerate(((1, 20), (21, 50))):
            start = origin + timedelta(days=-9 if number == 0 else first)
            period: dict[str, object] = {"period_number": number, "period_start": pd.Timestamp(start)}
            period |= {"period_end": pd.Timestamp(origin + timedelta(days=last + 1))}
            period |= {"aggregation_formula": "sum", "quantity_so_far": 10.0 * item["mean_7"] if number == 0 else 0.0}
            period |= {"first_horizon": first, "last_horizon": last, "first_share": 1.0, "last_share": 1.0}
            found.append({**keys, **period})
    return pd.DataFrame(found)


def _customers(rng: np.random.Generator, customers: int, churn: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    ends = [end.date() for end in pd.date_range(end=AS_OF, periods=22, freq="ME")]
    rows, labels = [], []
    for customer in range(customers):
        for month, end in enumerate(ends):
            keys = {"account_id": ACCOUNT, "customer_id": f"cus_{customer:03d}", "as_of_date": end}
            ratio = float(np.exp(rng.normal(0, 0.4)))
            rows.append({**keys, "is_scoring": end == AS_OF, **_customer(rng, month, ratio)})
            chance = 1 / (1 + np.exp(2.5 + 8.0 * np.log(min(ratio, 1.0))))
            drawn = rng.uniform()
            for horizon, part in ((90, 1.0), (30, 0.4)):  # who is gone within 30 days is gone within 90
                matured = end + timedelta(days=horizon + 30)
                label: dict[str, object] = {"horizon_days": horizon}
                label |= {"is_churned": churn == "mixed" and bool(drawn < part * chance)}
                label |= {"matured_on": matured, "is_mature": matured <= AS_OF}
                labels.append({**keys, **label})
    frame = pd.DataFrame(labels)
    if churn == "unmatured":
        frame = frame.assign(matured_on=AS_OF + timedelta(days=30), is_mature=False)
    return pd.DataFrame(rows), frame


def _customer(rng: np.random.Generator, month: int, ratio: float) -> dict[str, object]:
    return {
        "state": "active",
        "segment": ("startup", "midmarket", "enterprise")[int(rng.integers(0, 3))],
        "tenure_days": 30.0 * (month + 1),
        "usage_left_28": min(1.0, ratio * float(np.exp(rng.normal(0, 0.2)))),
        "usage_left_91": min(1.0, ratio * float(np.exp(rng.normal(0, 0.2)))),
        "usage_ratio_7_28": ratio ** float(rng.uniform(0.2, 0.6)),
        "usage_ratio_28_91": ratio,
        "usage_mean_28": float(np.exp(rng.normal(4, 1))),
        "zero_share_28": 0.1,
        "days_since_last_usage": float(rng.integers(0, 4)),
        "quota_share_last": float(rng.uniform(0, 2)),
        "failed_payments_90d": float(rng.poisson(0.2)),
        "open_invoices": float(rng.poisson(0.1)),
        "is_past_due": 0.0,
        "days_past_due": 0.0,
        "overage_share": float(rng.uniform(0, 1)),
        "bill_change_ratio": 1.0,
        "credited_90d": 0.0,
        "is_paused": 0.0,
        "is_trialing": 0.0,
        "mrr_minor": float(rng.integers(1000, 90000)),
        "mrr_change_90d_share": float(rng.normal(0, 0.1)),
        "seats": float(rng.integers(1, 30)),
        "has_discount": 0.0,
        "plan_rank": float(rng.integers(1, 4)),
        "months_since_upgrade": float("nan"),
    }


def _mrr(rng: np.random.Generator) -> pd.DataFrame:
    months = pd.date_range(end="2026-10-01", periods=22, freq="MS")
    rows = []
    for currency, start in (("usd", 1_000_000), ("jpy", 900_000)):
        value = float(start)
        for month in months:
            value *= 1 + float(rng.normal(0.02, 0.01))
            keys = {"account_id": ACCOUNT, "customer_id": "cus_000", "currency": currency, "month_start": month.date()}
            rows.append(
                {**keys, "committed_mrr_minor": round(value), "metered_mrr_minor": 0, "mrr_minor": round(value)}
            )
    return pd.DataFrame(rows)
