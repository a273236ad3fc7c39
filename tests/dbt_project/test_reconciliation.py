"""Our amounts against Stripe's, and detected days against planted spikes, on the sandbox's small company."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path

import duckdb

from tests.commands import dbt, module

# A spike of five times or more is plain to see; of three, one in four drowns in the noise of its item.
PLAIN_FACTOR = 5


def test_every_invoiced_period_is_rated_to_the_cent_or_its_difference_has_a_cause(modelled_company: Path) -> None:
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as con:
        invoiced, currencies = con.execute(
            "select count(*), count(distinct currency) from marts.fct_invoice_reconciliation"
        ).fetchall()[0]
        causes = dict(
            con.execute(
                "select difference_cause, count(*) from marts.fct_invoice_reconciliation "
                "where difference_cause is not null group by all"
            ).fetchall()
        )

    assert invoiced > 500
    assert currencies == 3
    assert causes.keys() <= {"seconds_outside_minute_grid", "not_covered_yet", "usage_after_invoice"}
    assert sum(causes.values()) <= 0.01 * invoiced


def test_each_period_holds_what_the_sandbox_recorded_between_its_minutes(modelled_company: Path) -> None:
    """The oracle adds up the sandbox's own table of events, in Python and to the second."""
    with sqlite3.connect(modelled_company / "sandbox" / "sandbox.sqlite") as sandbox:
        events: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for meter, customer, at, millionths in sandbox.execute("select meter, customer, at, value from usage"):
            events[meter, customer].append((at, millionths))
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as con:
        periods = con.execute(
            "select meter_id, customer_id, epoch(period_start)::bigint, epoch(used_until)::bigint, "
            "cast(cast(quantity as decimal(38, 6)) * 1000000 as bigint), is_estimated "
            "from intermediate.int_usage_periods where aggregation_formula = 'sum'"
        ).fetchall()

    starts_inside_a_minute = 0
    for meter, customer, start, end, quantity, is_estimated in periods:
        first, last = start - start % 60, end - end % 60
        assert quantity == sum(used for at, used in events[meter, customer] if first <= at < last)
        assert not is_estimated
        starts_inside_a_minute += start % 60 != 0
    assert starts_inside_a_minute > 0.9 * len(periods)
    assert len(periods) > 500


def test_a_replay_shares_the_days_between_periods_as_the_seconds_did(modelled_company: Path, tmp_path: Path) -> None:
    """The open periods of an earlier day have no summary of their own; what it says must come out of the days."""
    shutil.copy(modelled_company / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    built = dbt(tmp_path, "run", "--select", "+int_usage_periods", "--vars", '{"as_of": "2026-08-15"}')
    assert built.returncode == 0, built.stdout
    with sqlite3.connect(modelled_company / "sandbox" / "sandbox.sqlite") as sandbox:
        sandbox.execute("create temporary table wanted (meter, customer, start, until, quantity)")
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as con:
            estimated = con.execute(
                "select meter_id, customer_id, epoch(period_start)::bigint, epoch(used_until)::bigint, "
                "cast(cast(quantity as decimal(38, 6)) * 1000000 as bigint) from intermediate.int_usage_periods "
                "where is_estimated and aggregation_formula = 'sum'"
            ).fetchall()
        sandbox.executemany("insert into wanted values (?, ?, ?, ?, ?)", estimated)
        wrong = sandbox.execute(
            "select count(*) from (select wanted.quantity, sum(iif(usage.at >= start - start % 60 and usage.at < until,"
            " usage.value, 0)) as used from wanted left join usage on usage.meter = wanted.meter"
            " and usage.customer = wanted.customer group by wanted.rowid) where quantity is not coalesce(used, 0)"
        ).fetchone()[0]

    assert len(estimated) > 40
    # no more than what periods without an invoice line (a trial, a pause) leave unclear
    assert wrong <= 0.05 * len(estimated)


def test_dbt_notices_an_invoice_that_does_not_match(modelled_company: Path, tmp_path: Path) -> None:
    shutil.copy(modelled_company / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        for table in ("marts.fct_usage_periods", "intermediate.int_metered_lines_grouped"):
            con.execute(
                f"update {table} set invoiced_amount_minor = invoiced_amount_minor + 1 "
                "where (invoice_id, period_start) = "
                "(select (invoice_id, period_start) from marts.fct_invoice_reconciliation "
                "where difference_minor = 0 and invoiced_amount_minor > 0 order by all limit 1)"
            )

    affected = ("int_metered_lines_rated", "int_usage_minutes_shared", "int_invoiced_amounts_bounded")
    checked = dbt(
        tmp_path, "build", "--select", *affected, "fct_invoice_reconciliation", "invoices_match_the_rating_rule"
    )

    assert checked.returncode == 0
    assert "invoices_match_the_rating_rule" in checked.stdout
    assert "WARN=1" in checked.stdout


def test_plain_spikes_are_found_among_few_flagged_days(modelled_company: Path, tmp_path: Path) -> None:
    truth = json.loads(module(modelled_company, "sandbox", "truth", "--json").stdout)
    plain = defaultdict(set)
    for spike in truth["anomalies"]:
        if spike["factor"] >= PLAIN_FACTOR:
            plain[spike["customer"], spike["meter"], spike["factor"]].add(spike["date"])
    shutil.copy(modelled_company / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    detected = module(tmp_path, "ml", "detect")
    assert detected.returncode == 0, detected.stderr
    with duckdb.connect() as con:
        days = con.execute(f"select days from '{tmp_path}/scores/usage_anomaly_runs/run=*.parquet'").fetchall()[0][0]
        flagged = con.execute(
            "select customer_id, meter_id, cast(usage_date as varchar) "
            f"from '{tmp_path}/scores/usage_anomaly_days/run=*.parquet' where is_anomaly"
        ).fetchall()

    met = {spike for spike, dates in plain.items() if any((*spike[:2], date) in flagged for date in dates)}
    assert len(plain) >= 5
    assert len(met) >= 0.8 * len(plain)
    assert len(flagged) <= 0.004 * days
