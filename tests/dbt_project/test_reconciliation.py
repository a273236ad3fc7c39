"""Our amounts against Stripe's, and the spike rule against planted spikes, on the sandbox's small company."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb

from tests.commands import dbt, module

# A spike of five times or more is plain to see; of three, one in four drowns in the noise of its item.
PLAIN_FACTOR = 5


def test_every_invoiced_period_is_rated_to_the_cent(modelled_company: Path) -> None:
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as con:
        invoiced, different, currencies = con.execute(
            "select count(*), count(*) filter (where rated_amount_minor is distinct from invoiced_amount_minor), "
            "count(distinct currency) from marts.fct_usage_periods where invoice_id is not null"
        ).fetchall()[0]

    assert invoiced > 500
    assert currencies == 2
    assert different == 0


def test_dbt_notices_an_invoice_that_does_not_match(modelled_company: Path, tmp_path: Path) -> None:
    shutil.copy(modelled_company / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute(
            "update marts.fct_usage_periods set invoiced_amount_minor = invoiced_amount_minor + 1 "
            "where invoice_id = (select min(invoice_id) from marts.fct_usage_periods)"
        )

    checked = dbt(tmp_path, "test", "--select", "invoices_match_the_rating_rule")

    assert checked.returncode == 1
    assert "ERROR=1" in checked.stdout


def test_plain_spikes_are_found_among_few_flagged_days(modelled_company: Path) -> None:
    truth = json.loads(module(modelled_company, "sandbox", "truth", "--json").stdout)
    plain = {
        (spike["customer"], spike["meter"], spike["date"])
        for spike in truth["anomalies"]
        if spike["factor"] >= PLAIN_FACTOR
    }
    with duckdb.connect(str(modelled_company / "warehouse.duckdb"), read_only=True) as con:
        days = con.execute("select count(*) from marts.fct_usage_daily").fetchall()[0][0]
        flagged = set(
            con.execute(
                "select customer_id, meter_id, cast(usage_date as varchar) from intermediate.int_usage_spikes"
            ).fetchall()
        )

    assert len(plain) >= 5
    assert len(plain & flagged) >= 0.8 * len(plain)
    assert len(flagged) <= 0.01 * days
