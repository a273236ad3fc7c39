"""Hand-made relations that the mart alerts reads: a warehouse in which nothing stands, and what makes it stand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import duckdb

from tests.commands import ROOT

AS_OF = date(2026, 10, 20)
ACCOUNT = "acct_1"
TEXT, DAY = "varchar", "date"
Con = duckdb.DuckDBPyConnection


def table(con: Con, name: str, rows: list[dict[str, Any]], **types: str) -> None:
    """A table of these columns; a row may leave columns out."""
    con.execute(f"create or replace table {name} ({', '.join(f'{column} {kind}' for column, kind in types.items())})")
    for row in rows:
        con.execute(f"insert into {name} ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))


@contextmanager
def where_nothing_stands() -> Iterator[Con]:
    """A warehouse in which nothing stands: every relation that the models read, with the project's own seeds."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as warehouse")
        con.execute("use warehouse")
        for schema in ("staging", "seeds", "intermediate", "marts"):
            con.execute(f"create schema {schema}")
        for seed in ("message_templates", "alert_owners", "currencies"):
            path = ROOT / "dbt_project" / "seeds" / f"{seed}.csv"
            con.execute(f"create table seeds.{seed} as from read_csv('{path}', header = true, all_varchar = true)")
        con.execute("alter table seeds.currencies alter minor_unit_exponent type integer")
        con.execute("alter table seeds.alert_owners alter days_open type integer")
        acknowledged(con)
        capacity(con)
        types = columns("kind rests_on conflict_group hold_back_share~ most_share~")
        types |= {"valid_days": "integer", "cooldown_days": "integer"}
        table(con, "seeds.action_kinds", _kinds(), **types)
        days(con, AS_OF)
        meter = {"account_id": ACCOUNT, "meter_id": "m1", "meter_event_name": "api_calls", "aggregation_formula": "sum"}
        disk = {**meter, "meter_id": "m2", "meter_event_name": "disk", "aggregation_formula": "last"}
        table(con, "staging.stg_stripe__meters", [meter, disk], **dict.fromkeys(meter, TEXT))
        drift(con)
        table(
            con,
            "marts.model_performance",
            [],
            **columns(
                "account_id as_of! model_name metric segment value~"
                " limit_low~ limit_high~ n# said is_breach? alert_key consequence"
            ),
        )
        table(
            con,
            "marts.data_quality",
            [],
            **columns("account_id check_name severity object_kind rows_affected# meaning what_to_do is_of_models?"),
        )
        incidents(con)
        table(
            con,
            "marts.churn_risk",
            [],
            **columns(
                "account_id customer_id is_current? horizon_days# risk_band"
                " treatment probability~ mrr_minor# currency reasons"
            ),
        )
        table(con, "marts.usage_forecast", [], **columns("account_id meter_id forecast_date! is_current? yhat_mean~"))
        table(con, "marts.fct_usage_daily", [], **columns("account_id meter_id usage_date! quantity~ is_counted?"))
        said = "account_id dedupe_key as_of! kind severity owner title body customer_id subscription_item_id meter_id"
        table(con, "staging.stg_ml__alerts_said", [], **columns(f"{said} model_name"))
        yield con


def _kinds() -> list[dict[str, Any]]:
    with (ROOT / "dbt_project" / "seeds" / "action_kinds.csv").open() as lines:
        return [
            {key: row[key] or None for key in ("kind", "rests_on", "conflict_group")} | {"valid_days": 14}
            for row in csv.DictReader(lines)
        ]


def columns(names: str) -> dict[str, str]:
    """Columns by a mark after the name: ! a day, ~ a double, # a bigint, ? a boolean, else text."""
    kinds = {"!": DAY, "~": "double", "#": "bigint", "?": "boolean"}
    return {name.rstrip("!~#?"): kinds.get(name[-1], TEXT) for name in names.split()}


def acknowledged(con: Con, *rows: tuple[str, date, date | None]) -> None:
    """Acknowledgements: key, first and last day."""
    names = ("dedupe_key", "acknowledged_on", "until")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    table(con, "seeds.alert_acknowledgements", found, **columns("dedupe_key acknowledged_on! until!"))


def capacity(con: Con, *rows: tuple[str, str, float, float]) -> None:
    """Limits: meter, period, limit, share from which it is told."""
    types = {
        "meter_event_name": TEXT,
        "period": TEXT,
        "limit_quantity": "decimal(24, 6)",
        "warn_share": "decimal(9, 6)",
    }
    table(con, "seeds.capacity", [dict(zip(types, row, strict=True)) for row in rows], **types)


def odd(con: Con, check: str, severity: str) -> None:
    """A check of the data that found three invoices."""
    con.execute(
        "insert into marts.data_quality values (?, ?, ?, 'invoice', 3, 'Odd.', 'Look.', ?)",
        [ACCOUNT, check, severity, check == "items_without_price"],
    )


def days(con: Con, as_of: date) -> None:
    table(con, "intermediate.int_as_of", [{"account_id": ACCOUNT, "as_of": as_of}], account_id=TEXT, as_of=DAY)


def drift(con: Con, *keys: str, model: str = "usage_forecast") -> None:
    rows = [
        {"account_id": ACCOUNT, "model_name": model, "test": "level", "feature": "mean_7_over_91", "segment": key}
        | {"is_current": True, "psi": None, "statistic_limit": 3.5, "effect": -0.18, "n": 75, "is_breach": True}
        | {"alert_key": f"drift:level:mean_7_over_91:{key}", "consequence": "Forecasts rest on it"}
        for key in keys
    ]
    table(
        con,
        "marts.feature_drift",
        rows,
        **columns(
            "account_id model_name test feature segment is_current? psi~"
            " statistic_limit~ effect~ n# is_breach? alert_key consequence"
        ),
    )


def incidents(con: Con, *rows: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "account_id": ACCOUNT,
        "customer_id": "cus_1",
        "subscription_item_id": "si_1",
        "meter_id": "m1",
    }
    usual |= {"kind": "spike", "cause": "single_day_burst", "state": "ended", "owner": "support", "is_told": True}
    usual |= {"started_on": AS_OF - timedelta(days=3), "ended_on": AS_OF - timedelta(days=3), "currency": "usd"}
    usual |= {"quantity": 900.0, "expected_quantity": 100.0, "severity_minor": 12345}
    table(
        con,
        "marts.usage_anomalies",
        [usual | row for row in rows],
        **columns(
            "account_id anomaly_id customer_id"
            " subscription_item_id meter_id kind cause state owner is_told? started_on! ended_on! currency quantity~"
            " expected_quantity~ severity_minor#"
        ),
    )
