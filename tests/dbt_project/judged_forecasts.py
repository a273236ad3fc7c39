"""Forecasts that were made, and what came: the score files and the tables that the report card is built from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

ACCOUNT, QUIET = "acct_judged", "acct_quiet"
AS_OF = date(2026, 10, 31)
SAID_ON = (AS_OF - timedelta(days=40), AS_OF - timedelta(days=20))
ITEMS = 12
METERS = {"mtr_calls": 1000.0, "mtr_gb": 3.0}  # two units, far apart in size


def _items() -> pd.DataFrame:
    number = np.arange(ITEMS)
    return pd.DataFrame(
        {
            "account_id": ACCOUNT,
            "subscription_item_id": [f"si_{i:02}" for i in number],
            "subscription_id": [f"sub_{i:02}" for i in number],
            "customer_id": [f"cus_{i:02}" for i in number],
            "meter_id": np.where(number % 2 == 0, "mtr_calls", "mtr_gb"),
            # one subscription has never billed a plan
            "plan": [None if i == 5 else "scale" if i % 3 else "growth" for i in range(ITEMS)],
            "demand_class": np.where(number % 4 == 3, "intermittent", "regular"),
            "currency": np.where(number % 3 == 0, "jpy", "usd"),
            "currency_size": np.where(number % 3 == 0, 100, 1),
        }
    )


def _said(rng: np.random.Generator, actual: pd.Series, size: pd.Series) -> pd.DataFrame:
    """A forecast, its bands and a baseline for each of `actual`, rounded so that decimals hold them."""
    median = (actual + rng.normal(scale=0.2, size=len(actual)) * size).clip(lower=0).round(3)
    width = (0.25 * size).round(3)
    found = {"expected": (median * 1.02).round(3), "median": median, "q10": (median - width).clip(lower=0)}
    found |= {"q90": median + width, "q025": (median - 2 * width).clip(lower=0), "q975": median + 2 * width}
    found["baseline"] = (actual + rng.normal(scale=0.22, size=len(actual)) * size).clip(lower=0).round(3)
    return pd.DataFrame(found)


def _usage() -> pd.DataFrame:
    """Daily usage of each item for 60 days; some days are zero, and one item ends ten days before as_of."""
    rng = np.random.default_rng(11)
    days = pd.DataFrame({"usage_date": [AS_OF - timedelta(days=back) for back in range(60)]})
    found = _items().merge(days, how="cross")
    size = found["meter_id"].map(METERS)
    found["quantity"] = (size * rng.lognormal(sigma=0.5, size=len(found)) * (rng.random(len(found)) > 0.1)).round(3)
    ended = (found["subscription_item_id"] == "si_07") & (found["usage_date"] > AS_OF - timedelta(days=10))
    return found[~ended].reset_index(drop=True)


def _days() -> pd.DataFrame:
    """Forecast days with what came of them, the days that have not come or were never used left out."""
    rng = np.random.default_rng(12)
    usage = _usage()
    found = []
    for as_of in SAID_ON:
        ahead = usage[(usage["usage_date"] > as_of) & (usage["usage_date"] <= as_of + timedelta(days=30))]
        ahead = ahead.reset_index(drop=True).assign(as_of=as_of)
        said = _said(rng, ahead["quantity"], ahead["meter_id"].map(METERS))
        found.append(pd.concat([ahead, said], axis=1))
    rows = pd.concat(found, ignore_index=True).rename(columns={"quantity": "actual"})
    rows["horizon"] = [(day - as_of).days for day, as_of in zip(rows["usage_date"], rows["as_of"], strict=True)]
    # an older file knows no baseline
    rows.loc[(rows["as_of"] == SAID_ON[0]), "baseline"] = np.nan
    rows["unit"] = rows["meter"] = rows["meter_id"]
    rows["bucket"] = [f"week:{(horizon + 6) // 7:02}" for horizon in rows["horizon"]]
    return rows


def _periods(minor: bool) -> pd.DataFrame:
    """Billing periods (or invoices, in minor units) that began before each forecast and are over by as_of."""
    rng = np.random.default_rng(13 + minor)
    found = _items().loc[np.repeat(np.arange(ITEMS), 2)].reset_index(drop=True)
    found["as_of"] = [SAID_ON[i % 2] for i in range(len(found))]
    found["days_elapsed"] = [(3, 8, 15, 22, 30)[i % 5] for i in range(len(found))]
    found["days_in_period"] = 31
    found["bucket"] = found["days_elapsed"].map(
        {3: "elapsed:000", 8: "elapsed:025", 15: "elapsed:050", 22: "elapsed:075", 30: "elapsed:100"}
    )
    found["period_start"] = [
        pd.Timestamp(as_of) - timedelta(days=int(days), hours=-6)
        for as_of, days in zip(found["as_of"], found["days_elapsed"], strict=True)
    ]
    # by then all are over, whatever their length in this made-up calendar
    found["period_end"] = [as_of + timedelta(days=10, hours=6) for as_of in pd.to_datetime(found["as_of"])]
    size = found["currency_size"] * 5000.0 if minor else 30 * found["meter_id"].map(METERS)
    found["actual"] = (size * rng.lognormal(sigma=0.5, size=len(found))).round(0 if minor else 3)
    said = _said(rng, found["actual"], size)
    found = pd.concat([found, said.round(0) if minor else said], axis=1)
    found.loc[found["days_elapsed"] == 3, "baseline"] = np.nan  # too early for a run-rate
    found["unit"] = found["currency"] if minor else found["meter_id"]
    if minor:
        return found.drop(columns=["demand_class", "meter_id"])
    return found.assign(meter=found["meter_id"]).drop(columns=["currency"])


def _months() -> pd.DataFrame:
    """MRR of September by currency as said on two days of August and September; new business is not judged."""
    found = [
        {"currency": "usd", "actual": 50_000, "expected": 52_000, "baseline": 51_000, "q10": 50_500, "q90": 53_500},
        {
            "currency": "jpy",
            "actual": 900_000,
            "expected": 890_000,
            "baseline": 700_000,
            "q10": 850_000,
            "q90": 930_000,
        },
    ]
    rows = pd.DataFrame(found).assign(as_of=SAID_ON[0], month_start=date(2026, 9, 1), bucket="month:01")
    rows = rows.assign(q025=rows["q10"] - 1_000, q975=rows["q90"] + 1_000)
    return rows.assign(median=rows["expected"], unit=rows["currency"])


def judged() -> dict[str, pd.DataFrame]:
    """What was said and what came, by subject: the rows that a card must be made of."""
    return {
        "usage_day": _days().drop(columns=["currency"]),
        "usage_period": _periods(minor=False),
        "invoice": _periods(minor=True),
        "mrr": _months(),
    }


def write_scores(data: Path) -> None:
    """Score files as runs left them: an old one without baselines, one said twice, and one that was never finished."""
    days = _days()
    names = {"usage_date": "forecast_date", "expected": "yhat_mean", "median": "yhat_median"}
    days = days.rename(columns=names | {"baseline": "seasonal_naive"}).assign(weekday_mean=0.0)
    columns = ["account_id", "subscription_item_id", "customer_id", "meter_id", "as_of", "forecast_date", "horizon"]
    columns += ["yhat_mean", "yhat_median", "q025", "q10", "q90", "q975", "seasonal_naive", "weekday_mean"]
    columns += ["demand_class"]
    old, new = (days[days["as_of"] == as_of][columns] for as_of in SAID_ON)
    _write(data, "usage_forecast", "old", old.drop(columns=["weekday_mean"]))
    _write(data, "usage_forecast", "1", new.assign(yhat_median=0.0, yhat_mean=0.0, q10=0.0, q025=0.0))
    _write(data, "usage_forecast", "2", new)
    periods = _periods(minor=False).rename(columns={"expected": "projected_quantity"} | _named("quantity"))
    _write(data, "usage_period_said", "1", periods.assign(quantity_so_far=0.0).drop(columns=["actual", "meter"]))
    invoices = _periods(minor=True).rename(columns={"expected": "total_minor"} | _named("minor", "total_"))
    _write(data, "invoice_forecast_said", "1", invoices.drop(columns=["actual", "currency_size", "unit"]))
    fixed = invoices.head(1).assign(subscription_id="sub_fixed")
    _write(data, "invoice_forecast_said", "2", fixed.assign(method=None, account_id=QUIET))
    months = _months().assign(account_id=ACCOUNT, level="currency", plan="all", months_ahead=1, new_business_minor=700)
    for name in ("q025", "q10", "q90", "q975"):
        months[f"{name}_minor"] = months[name] + 700
    months = months.assign(mrr_minor=months["expected"] + 700, mrr_now_minor=months["baseline"])
    _write(data, "revenue_forecast_said", "1", months)
    _write(data, "model_performance", "1", _performance("1", 99.0))
    _write(data, "model_performance", "2", _performance("2", 20.0))
    (data / "scores" / "usage_forecast" / "tmp_run=torn.parquet").write_bytes(b"PAR1 torn")


def _named(suffix: str, prefix: str = "") -> dict[str, str]:
    band = {name: f"{prefix}{name}_{suffix}" for name in ("median", "q025", "q10", "q90", "q975")}
    return band | {"baseline": f"run_rate_{prefix}{suffix}"}


def _performance(version: str, wape: float) -> pd.DataFrame:
    found = [("wape", "all", wape, 30.0, 900), ("cov80", "all", 0.79, 0.8, 900), ("cov95", "all", 0.94, 0.95, 900)]
    found += [("bias", "all", -1.0, 0.0, 900), ("wape", "days:28", 25.0, 26.0, 400), ("wape", "top10", 10.0, 12.0, 90)]
    found += [("wape", "plan:scale: large", 31.0, 30.0, 60), ("wape", "class:cold", 80.0, 70.0, 29)]
    rows = pd.DataFrame(found, columns=["metric", "segment", "value", "baseline_value", "n"])
    return rows.assign(model_name="usage_forecast", model_version=version, as_of=SAID_ON[0])


def _write(data: Path, table: str, run: str, rows: pd.DataFrame) -> None:
    folder = data / "scores" / table
    folder.mkdir(parents=True, exist_ok=True)
    model = {name: value for name, value in (("method", "xgboost"), ("model_version", "1")) if name not in rows}
    at = pd.Timestamp("2026-09-21") + timedelta(days=int(run) if run.isdigit() else 0)
    kept = rows.assign(**model, run_id=run, scored_at=at)  # noqa: F841 - the query reads it
    with duckdb.connect() as con:
        con.execute("create table kept as from kept")
        con.table("kept").write_parquet(str(folder / f"run={run}.parquet"))


def write_outcomes(data: Path) -> None:
    """A warehouse with what came: only the tables that the card reads, as the models before it leave them."""
    items, usage = _items(), _usage()
    periods, invoices, months = _periods(minor=False), _periods(minor=True), _months()
    plans = items[items["plan"].notna()].assign(
        known_from=pd.Timestamp("2026-01-01"), known_to=pd.Timestamp("2099-01-01")
    )
    settled = periods.rename(columns={"actual": "quantity"})
    due = invoices.rename(columns={"actual": "amount_due_minor"}).assign(tax_minor=19, inclusive_tax_minor=0)
    due["amount_due_minor"] += 19
    due = due.assign(invoice_id=due.index.astype(str), status="paid", billing_reason="subscription_cycle")
    void = due.assign(amount_due_minor=1.0, status="void", invoice_id="void" + due["invoice_id"])
    paid = months.rename(columns={"actual": "mrr_minor"}).assign(account_id=ACCOUNT, customer_id="cus_00")
    won_later = paid.assign(customer_id="cus_later", mrr_minor=10_000)
    began = items.assign(started_at=pd.Timestamp("2026-01-01"))
    later = began.head(1).assign(customer_id="cus_later", started_at=pd.Timestamp(AS_OF))
    open_period: dict[str, Any] = {"account_id": ACCOUNT, "subscription_item_id": "si_00", "subscription_id": "sub_00"}
    open_period |= {"customer_id": "cus_00", "meter_id": "mtr_calls", "price_id": "p", "currency": "usd"}
    open_period |= {
        "period_start": pd.Timestamp("2026-10-21"),
        "period_end": pd.Timestamp("2026-11-20"),
        "days_elapsed": 11,
    }
    open_period |= {"days_in_period": 30, "included_units": None, "quantity": 40.0, "is_open": True}
    drawn: dict[str, Any] = {
        "account_id": ACCOUNT,
        "subscription_item_id": "si_00",
        "period_start": pd.Timestamp("2026-10-21"),
    }
    drawn |= {
        "is_backtest": False,
        "paths": 200,
        "so_far_quantity": 40.0,
        "mean_quantity": 120.0,
        "median_quantity": 118.0,
    }
    drawn |= {"q025_quantity": 90.0, "q10_quantity": 100.0, "q90_quantity": 140.0, "q975_quantity": 150.0}
    drawn |= {"run_rate_quantity": 100.0, "method": "xgboost", "model_version": "1"}
    factors: dict[str, Any] = {"account_id": ACCOUNT, "for_as_of": AS_OF, "level": "item_quantity", "quarter": 2}
    factors |= dict.fromkeys(("q025_factor", "q10_factor", "q90_factor", "q975_factor"), 1.0)
    silent = open_period | {"subscription_item_id": "si_02"}
    tables = {
        "intermediate.int_as_of": pd.DataFrame({"account_id": [ACCOUNT, QUIET], "as_of": AS_OF}),
        "intermediate.int_plan_history": plans,
        "intermediate.int_usage_periods_settled": settled,
        "intermediate.int_open_periods_backtested": _backtested(periods, "quantity"),
        "intermediate.int_subscription_periods_backtested": _backtested(invoices, "minor"),
        "intermediate.int_usage_paths_periods": pd.DataFrame([drawn]),
        "intermediate.int_band_factors": pd.DataFrame([factors]),
        "marts.fct_usage_daily": usage,
        "marts.fct_usage_periods": pd.DataFrame([open_period, silent]),
        "marts.fct_invoices": pd.concat([due, void]).assign(created_at=due["period_end"]),
        "marts.fct_mrr_monthly": pd.concat([paid, won_later]),
        "marts.dim_subscriptions": pd.concat([began, later]),
        "marts.dim_customers": items[["account_id", "customer_id"]],
    }
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("create schema intermediate; create schema marts")
        for name, rows in tables.items():
            con.register("rows", rows)
            con.execute(f"create table {name} as from rows")
            con.unregister("rows")


def _backtested(rows: pd.DataFrame, suffix: str) -> pd.DataFrame:
    """The same forecasts as if refitted models had made them; nothing is known of any without a demand class."""
    names = _named(suffix) | {"expected": f"mean_{suffix}", "actual": f"actual_{suffix}"}
    return rows.rename(columns=names)
