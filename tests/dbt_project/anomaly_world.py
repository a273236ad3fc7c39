"""A world of one customer for the models of incidents: daily usage of 100, one price, and what `ml` said of its days.

The price has 1,000 units a month free, then 5 minor units each; periods are the months of August to October 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from tests.commands import ROOT
from tests.dbt_project.compiled import Bench

AS_OF = date(2026, 10, 31)
ACCOUNT, ITEM, CUSTOMER = "acct", "si_1", "cus_1"
FREE, EACH = 1000, 5
Row = dict[str, Any]


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


@dataclass
class World:
    """What the models read, with one run that judged everything."""

    days: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    planned: list[Row] = field(default_factory=list)
    floors: list[Row] = field(default_factory=lambda: [{"currency": "usd", "floor_minor": 100}])
    spans: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    most_a_month: int = 30
    formula: str = "sum"
    projected: Decimal | None = None

    def judge(self, run: str = "run_1", since: str = "08-01", as_of: date = AS_OF) -> None:
        self.runs.append(
            {
                "run_id": run,
                "judged_from": day(since),
                "as_of": as_of,
                "scored_at": pd.Timestamp(2026, 11, 1, len(self.runs)),
            }
        )

    def unusual(self, first: str, quantities: list[float], **more: Any) -> None:
        """Days from `first` on, each unusual unless it used 100."""
        for number, quantity in enumerate(quantities):
            said: Row = {
                "usage_date": day(first) + timedelta(days=number),
                "incident_start": day(first),
                "quantity": quantity,
                "expected_quantity": 100.0,
                "score": 2.0 if quantity > 100 else -2.0,
                "is_anomaly": quantity != 100,
                "is_rule_baseline": quantity > 300,
                "detectors": "weekday",
                "history_days": 90 + number,
                "related_ratio": 1.0,
                "company_share": 0.02,
                "run_id": "run_1",
                "item": ITEM,
            }
            self.days.append(said | more)


def fill(bench: Bench, world: World) -> None:
    """The world as tables. Every item used 100 a day, and what its unusual days say."""
    if not world.runs:
        world.judge()
    items = sorted({one["item"] for one in world.days})
    used = {(one["item"], one["usage_date"]): one["quantity"] for one in world.days}
    dates = [AS_OF - timedelta(days=back) for back in range(120)]
    own: Row = {"account_id": ACCOUNT, "customer_id": CUSTOMER, "meter_id": "mtr", "meter_event_name": "calls"}
    daily: list[Row] = [
        own | {"subscription_item_id": item, "usage_date": at, "currency": "usd", "quantity": used.get((item, at), 100)}
        for item in items
        for at in dates
    ]
    periods: list[Row] = [
        own
        | {"subscription_item_id": item, "price_id": "price", "currency": "usd", "aggregation_formula": world.formula}
        | {"period_start": pd.Timestamp(2026, month, 1), "period_end": pd.Timestamp(2026, month + 1, 1)}
        | {"counts_from": date(2026, month, 1), "is_open": month == 10}
        | {
            "quantity": sum(
                one["quantity"]
                for one in daily
                if one["subscription_item_id"] == item and one["usage_date"].month == month
            )
        }
        for item in items
        for month in (8, 9, 10)
    ]
    ahead = [one | {"projected_quantity": world.projected} for one in periods if one["is_open"] and world.projected]
    terms: Row = {"account_id": ACCOUNT, "price_id": "price", "currency": "usd", "rating_mode": "graduated"}
    terms |= {"package_size": None, "flat_amount_decimal": 0, "billed_multiple_of": 1}
    tiers = [
        terms | {"tier_index": 1, "lower_bound": 0, "upper_bound": FREE, "unit_amount_decimal": 0},
        terms | {"tier_index": 2, "lower_bound": FREE, "upper_bound": None, "unit_amount_decimal": EACH},
    ]
    said = [
        {"account_id": ACCOUNT, "subscription_item_id": one["item"], "model_version": "1"} | one for one in world.days
    ]
    seed = pd.read_csv(ROOT / "dbt_project" / "seeds" / "anomaly_causes.csv")
    causes: list[Row] = [{str(name): value for name, value in row.items()} for row in seed.to_dict("records")]
    named = {"account_id": ACCOUNT, "subscription_item_id": ITEM}
    tables: dict[str, list[Row]] = {
        "staging.stg_ml__usage_anomaly_days": said,
        "staging.stg_ml__usage_anomaly_runs": [{"account_id": ACCOUNT} | one for one in world.runs],
        "intermediate.int_as_of": [{"account_id": ACCOUNT, "as_of": AS_OF}],
        "intermediate.int_usage_periods": periods,
        "intermediate.int_price_tiers": tiers,
        "intermediate.int_usage_spans": [
            named | one for one in [{"first_day": day("01-01"), "price_id": "old"}, *world.spans]
        ],
        "intermediate.int_item_states": [
            {"account_id": ACCOUNT, "subscription_item_id": "si_seats"} | one for one in world.states
        ],
        "intermediate.int_subscription_items": [own | {"subscription_item_id": "si_seats", "is_metered": False}],
        "intermediate.int_open_periods_forecast": ahead,
        "marts.fct_usage_daily": [one | {"is_counted": True} for one in daily],
        "marts.fct_usage_periods": periods,
        "seeds.anomaly_causes": causes,
        "seeds.anomaly_floors": world.floors,
        "seeds.alert_budgets": [{"kind": "usage_anomaly", "most_a_month": world.most_a_month}],
        "seeds.planned_events": world.planned,
    }
    for name, rows in tables.items():
        columns = TYPES.get(name.split(".")[1], {})
        frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(columns))  # noqa: F841 - the query reads it
        typed = ", ".join(f"cast({one} as {kind}) as {one}" for one, kind in columns.items())
        bench.con.execute(f"create table {name} as select * {f'replace ({typed})' if typed else ''} from frame")


DECIMAL = "decimal(18, 6)"
TYPES = {
    "stg_ml__usage_anomaly_days": {"usage_date": "date", "incident_start": "date"},
    "stg_ml__usage_anomaly_runs": {"judged_from": "date", "as_of": "date"},
    "int_as_of": {"as_of": "date"},
    "int_usage_periods": {"counts_from": "date"},
    "int_price_tiers": {
        "lower_bound": DECIMAL,
        "upper_bound": DECIMAL,
        "unit_amount_decimal": "decimal(24, 12)",
        "flat_amount_decimal": "decimal(24, 12)",
        "package_size": "bigint",
    },
    "int_usage_spans": {"first_day": "date"},
    "int_item_states": {
        "account_id": "varchar",
        "subscription_item_id": "varchar",
        "valid_from": "timestamp",
        "quantity": DECIMAL,
    },
    "int_open_periods_forecast": {
        "account_id": "varchar",
        "subscription_item_id": "varchar",
        "period_start": "timestamp",
        "projected_quantity": DECIMAL,
    },
    "fct_usage_daily": {"usage_date": "date", "quantity": DECIMAL},
    "fct_usage_periods": {"quantity": DECIMAL},
    "planned_events": {
        "first_day": "date",
        "last_day": "date",
        "customer_id": "varchar",
        "meter_event_name": "varchar",
        "direction": "varchar",
    },
}
