"""The mart alerts: what stands, since when, who acts; capacity beside its limits; breaches that keep advice back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT
from tests.dbt_project.alert_tables import (
    ACCOUNT,
    AS_OF,
    Con,
    acknowledged,
    capacity,
    columns,
    days,
    drift,
    incidents,
    odd,
    table,
    where_nothing_stands,
)
from tests.dbt_project.compiled import compiled_models

FOUND = ("int_capacity_expected", "int_alerts_of_models", "int_alerts_of_customers", "int_alerts_found")
MODELS = (*FOUND, "alerts", "int_proposals_checked")


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("alerts"), *MODELS)


@pytest.fixture
def con() -> Iterator[Con]:
    with where_nothing_stands() as made:
        yield made


def built(con: Con, sql: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The mart by dedupe key."""
    for model in FOUND:
        con.execute(f"create or replace table intermediate.{model} as {sql[model]}")
    con.execute(f"create or replace table marts.alerts as {sql['alerts']}")
    rows = con.execute("from marts.alerts").fetch_df().to_dict("records")
    return {str(row["dedupe_key"]): {str(name): value for name, value in row.items()} for row in rows}


def keep(con: Con) -> None:
    """What the post-hook keeps of the mart."""
    columns = [row[0] for row in con.execute("describe staging.stg_ml__alerts_said").fetchall()]
    con.execute(
        f"insert into staging.stg_ml__alerts_said select {', '.join(columns)} from marts.alerts where state = 'open'"
    )


def test_an_alert_keeps_its_first_day_is_closed_when_over_and_opens_again(con: Con, sql: dict[str, str]) -> None:
    assert built(con, sql) == {}
    seen = []
    for back, keys in ((10, ["plan:a"]), (5, ["plan:a", "plan:b"]), (5, ["plan:a", "plan:b"]), (2, ["plan:b"])):
        days(con, AS_OF - timedelta(days=back))
        drift(con, *keys)
        seen.append(built(con, sql))
        con.execute("delete from staging.stg_ml__alerts_said where as_of = ?", [AS_OF - timedelta(days=back)])
        keep(con)
    a, b = (f"drift:level:mean_7_over_91:plan:{one}" for one in "ab")
    assert [sorted(one) for one in seen] == [[a], [a, b], [a, b], [a, b]]
    assert [one[a]["state"] for one in seen] == ["open", "open", "open", "closed"]
    last = {
        key: (row["state"], row["first_seen_on"].date(), row["last_seen_on"].date()) for key, row in seen[3].items()
    }
    day = {back: AS_OF - timedelta(days=back) for back in (10, 5, 2)}
    assert last == {a: ("closed", day[10], day[5]), b: ("open", day[5], day[2])}
    days(con, AS_OF)
    drift(con, "plan:a")
    again = built(con, sql)
    assert (again[a]["state"], again[a]["first_seen_on"].date()) == ("open", day[10])
    assert again[b]["state"] == "closed"
    days(con, AS_OF - timedelta(days=7))  # a replay knows nothing of what was said later
    drift(con)
    assert {key: row["state"] for key, row in built(con, sql).items()} == {a: "closed"}


def test_texts_say_what_where_how_much_and_who_acts(con: Con, sql: dict[str, str]) -> None:
    drift(con, "meter:m1")
    incidents(con, {"anomaly_id": "anomaly:si_1:x"}, {"anomaly_id": "kept", "is_told": False})
    risk: dict[str, Any] = {
        "account_id": ACCOUNT,
        "customer_id": "cus_2",
        "is_current": True,
        "horizon_days": 90,
        "probability": 0.71,
    }
    risk |= {"risk_band": "critical", "treatment": "modelled", "mrr_minor": 9900, "currency": "jpy", "reasons": "so"}
    others: tuple[dict[str, Any], ...] = (
        {"risk_band": "high"},
        {"horizon_days": 30},
        {"treatment": "leaving"},
        {"is_current": False},
    )
    rows = [risk, *(risk | {"customer_id": f"cus_not_{i}"} | other for i, other in enumerate(others))]
    con.executemany(f"insert into marts.churn_risk ({', '.join(risk)}) values ({', '.join('?' * len(risk))})",
                    [list(row.values()) for row in rows])  # fmt: skip
    odd(con, "bills_unexplained", "error")
    odd(con, "fine", "info")
    found = built(con, sql)
    said = {key: (row["severity"], row["owner"], row["title"], row["body"]) for key, row in found.items()}
    assert said == {
        "drift:level:mean_7_over_91:meter:m1": (
            "warning", "data_science", "usage of meter api_calls has left its level",
            "mean 7 over 91: -18 % against what is usual there, of 75 customers. Forecasts rest on it.",
        ),
        "anomaly:si_1:x": (
            "info", "support", "spike of api_calls: cus_1",
            "900 where 100 were expected (2026-10-17), USD 123.45; single day burst",
        ),
        "churn:cus_2": (
            "warning", "customer_success", "cus_2 may leave",
            "71 % within 90 days, JPY 9,900 a month is at stake; so.",
        ),
        "data_quality:bills_unexplained": (
            "critical", "data_team", "data quality: bills unexplained", "3 of invoice. Odd. Look.",
        ),
    }  # fmt: skip
    # an incident is told for 14 days after its end
    incidents(con, {"anomaly_id": "old", "ended_on": AS_OF - timedelta(days=14)})
    assert "old" not in built(con, sql)


def test_an_acknowledgement_counts_from_its_day_until_its_last(con: Con, sql: dict[str, str]) -> None:
    drift(con, "plan:a", "plan:b", "plan:c")
    a, b, c = (f"drift:level:mean_7_over_91:plan:{one}" for one in "abc")
    before, yesterday = AS_OF - timedelta(days=5), AS_OF - timedelta(days=1)
    acknowledged(con, (a, AS_OF, None), (b, before, AS_OF), (c, before, yesterday))
    found = built(con, sql)
    assert [row["is_acknowledged"] for _, row in sorted(found.items())] == [True, True, False]


def test_capacity_is_the_fullest_period_of_what_was_used_and_is_expected(con: Con, sql: dict[str, str]) -> None:
    capacity(con, ("api_calls", "day", 210, 0.9), ("api_calls", "month", 4000, 0.5), ("disk", "month", 1, 0.5))
    ahead = [(ACCOUNT, m, AS_OF + timedelta(days=h), True, 50.0 + h) for m in ("m1", "m1", "m2") for h in range(1, 91)]
    con.executemany("insert into marts.usage_forecast values (?, ?, ?, ?, ?)", ahead)
    used = [(ACCOUNT, "m1", AS_OF - timedelta(days=back), 100.0, True) for back in range(40)]
    con.executemany("insert into marts.fct_usage_daily values (?, ?, ?, ?, ?)", used)
    found = built(con, sql)
    # oracle: the 28th day ahead holds 2 x 78; December, the fullest whole month ahead, is days 42 to 72, twice
    day, month = 2 * 78, sum(2 * (50 + h) for h in range(42, 73))
    expected = con.execute(
        "select meter_event_name, period, period_start, expected_quantity from intermediate.int_capacity_expected"
        " order by period"
    ).fetchall()
    assert [(*row[:3], float(row[3])) for row in expected] == [
        ("api_calls", "day", AS_OF + timedelta(days=28), day),
        ("api_calls", "month", date(2026, 12, 1), month),
    ]  # a limit a month says nothing of a meter that takes the last value
    assert {key: row["severity"] for key, row in found.items()} == {"capacity:api_calls:month": "critical"}
    assert found["capacity:api_calls:month"]["title"] == "api_calls comes to 165 % of its limit a month"


def test_what_stands_keeps_back_what_rests_on_it(con: Con, sql: dict[str, str]) -> None:
    kinds = ("tier_upgrade", "retention_offer", "courtesy_credit")
    text = "account_id recommendation_id kind customer_id currency evidence monthly_change_minor# as_of!"
    row = {"account_id": ACCOUNT, "customer_id": "cus_1", "as_of": AS_OF}
    rows = [row | {"kind": kind, "recommendation_id": kind} for kind in kinds]
    table(con, "intermediate.int_proposals_identified", rows, **columns(text))
    decided = "account_id recommendation_id customer_id conflict_key decided_on!"
    table(con, "intermediate.int_actions_decided", [], **columns(decided))
    margins = "account_id customer_id currency monthly_revenue_minor# monthly_cost_minor#"
    table(con, "intermediate.int_customer_margins", [], **columns(margins))
    table(con, "seeds.price_rules", [], **columns("rule value"))
    for scores in ("usage_forecast", "churn_risk", "usage_anomaly_runs"):
        scored = [{"account_id": ACCOUNT, "as_of": AS_OF}]
        table(con, f"staging.stg_ml__{scores}", scored, **columns("account_id as_of!"))

    def doubted() -> set[str]:
        built(con, sql)
        found = con.execute(f"select kind from ({sql['int_proposals_checked']}) where is_doubted").fetchall()
        return {kind for (kind,) in found}

    assert doubted() == set()
    drift(con, "plan:a")
    assert doubted() == {"tier_upgrade"}
    drift(con, "plan:a", model="churn_risk")
    assert doubted() == {"retention_offer"}
    acknowledged(con, ("drift:level:mean_7_over_91:plan:a", AS_OF, None))
    assert doubted() == set()
    odd(con, "settlements_unexplained", "error")  # no model rests on how invoices were paid
    assert doubted() == set()
    odd(con, "items_without_price", "error")
    assert doubted() == set(kinds)


def test_both_sides_call_a_failed_check_by_the_same_key() -> None:
    model = (ROOT / "dbt_project/models/intermediate/alerts/int_alerts_of_models.sql").read_text()
    assert "'data_quality:' || check_name" in model
    assert 'f"data_quality:{row.check_name}"' in (ROOT / "ml" / "breaches.py").read_text()


def test_the_seeds_of_alerts_name_every_kind(sql: dict[str, str], tmp_path: Path) -> None:
    with (ROOT / "dbt_project" / "seeds" / "alert_owners.csv").open() as lines:
        kinds = {row["kind"] for row in csv.DictReader(lines)}
    said = {kind for kind in kinds if any(f"'{kind}' as kind" in sql[model] for model in FOUND)}
    assert said == kinds == {"anomaly", "churn", "capacity", "drift", "performance", "data_quality"}
