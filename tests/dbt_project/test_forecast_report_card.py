"""The report card on hand-made forecasts and outcomes, beside the same figures worked out in pandas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from ml import metrics
from tests.commands import dbt
from tests.dbt_project.judged_forecasts import ACCOUNT, AS_OF, QUIET, judged, write_outcomes, write_scores

SELECT = [f"stg_ml__{kept}_said" for kept in ("usage_period", "invoice_forecast", "revenue_forecast")]
SELECT += ["stg_ml__usage_forecast", "stg_ml__model_performance", "usage_forecast", "model_performance"]
SELECT += ["int_open_periods_forecast", "intermediate.report_card", "forecast_report_card"]
SELECT += ["forecasts_beat_their_baselines"]
KEY = ["account_id", "said", "subject", "segment_kind", "segment", "bucket"]


@dataclass(frozen=True)
class Cards:
    """The card, the card of a warehouse made anew, what the first build printed, and the kept files after it."""

    first: pd.DataFrame
    anew: pd.DataFrame
    warned: str
    kept: list[Path]


def card_of(data: Path, verb: str) -> tuple[pd.DataFrame, str]:
    """The card as dbt builds it on the outcomes that the warehouse holds, and what dbt printed."""
    no_unit_tests = ("--exclude-resource-type", "unit_test") if verb == "build" else ()
    done = dbt(data, verb, "--threads", "1", *no_unit_tests, "--select", *SELECT)
    assert "Done." in done.stdout, done.stdout
    assert "ERROR=0" in done.stdout, done.stdout
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.sql(f"from marts.forecast_report_card order by {', '.join(KEY)}").df(), done.stdout


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    data = tmp_path_factory.mktemp("judged")
    write_scores(data)
    write_outcomes(data)
    first, said = card_of(data, "build")
    kept = sorted((data / "scores" / "usage_period_said").glob("run=20*.parquet"))
    (data / "warehouse.duckdb").unlink()
    write_outcomes(data)
    return Cards(first, card_of(data, "run")[0], said, kept)


def expected_row(rows: pd.DataFrame) -> dict[str, Any]:
    """The card's figures of some judged forecasts, by numpy: what came, and what was said of it, row by row."""
    compared = rows[rows["baseline"].notna()]
    banded = rows[rows["q10"].notna()]
    bias = (rows["expected"] - rows["actual"]).groupby(rows["unit"]).sum() / rows.groupby("unit")["actual"].sum()
    return {
        "n": len(rows),
        "n_compared": len(compared),
        "wape": metrics.wape_by_unit(rows["actual"], rows["median"], rows["unit"]) / 100,
        "bias": float(np.average(bias, weights=rows.groupby("unit").size())),
        "baseline_wape": metrics.wape_by_unit(compared["actual"], compared["baseline"], compared["unit"]) / 100,
        "cov80": metrics.coverage(banded["actual"], banded["q10"], banded["q90"]),
        "cov95": metrics.coverage(banded["actual"], banded["q025"], banded["q975"]),
        "is_worse_than_baseline": metrics.wape_by_unit(compared["actual"], compared["median"], compared["unit"])
        > metrics.wape_by_unit(compared["actual"], compared["baseline"], compared["unit"]),
    }


def test_every_figure_is_what_pandas_makes_of_the_same_forecasts(cards: Cards) -> None:
    live = cards.first[cards.first["said"] == "live"]
    seen = 0
    for subject, rows in judged().items():
        of_subject = live[live["subject"] == subject]
        kinds = {"all": pd.Series("all", rows.index)} | {
            kind: rows[kind] for kind in ("plan", "demand_class", "currency", "meter") if kind in rows
        }
        for kind, label in kinds.items():
            for bucket in ("all", *sorted(rows["bucket"].unique())):
                here = rows if bucket == "all" else rows[rows["bucket"] == bucket]
                for segment, part in here.groupby(label[here.index]):
                    found = of_subject[
                        (of_subject["segment_kind"] == kind)
                        & (of_subject["segment"] == segment)
                        & (of_subject["bucket"] == bucket)
                    ]
                    assert len(found) == 1, (subject, kind, segment, bucket)
                    row = found.iloc[0]
                    for name, value in expected_row(part).items():
                        where = (subject, kind, segment, bucket, name)
                        if isinstance(value, float):
                            assert float(row[name]) == pytest.approx(value, abs=3e-6, nan_ok=True), where
                        else:
                            assert row[name] == value, where
                    if subject != "usage_day":
                        errors = (part["median"] - part["actual"]).abs() / part["actual"].abs()
                        assert float(row["median_error"]) == pytest.approx(errors.median(), abs=2e-6)
                    seen += 1
    assert seen == len(live)


def test_what_ml_measured_on_held_out_days_stands_in_the_card_as_shares(cards: Cards) -> None:
    found = cards.first[(cards.first["said"] == "backtest") & (cards.first["subject"] == "usage_day")]
    rows = {
        (row["segment_kind"], row["segment"], row["bucket"]): row
        for _, row in found[found["account_id"] == ACCOUNT].iterrows()
    }
    overall = rows["all", "all", "all"]
    # the newest run's version serves; the older one measured 99 %
    assert (float(overall["wape"]), float(overall["baseline_wape"]), overall["n"]) == (0.2, 0.3, 900)
    assert (float(overall["cov80"]), float(overall["bias"])) == (0.79, -0.01)
    assert float(rows["all", "all", "days:28"]["wape"]) == 0.25
    assert bool(rows["plan", "scale: large", "all"]["is_worse_than_baseline"])
    assert ("demand_class", "cold", "all") in rows
    assert not [key for key in rows if "top10" in key[1]]


def test_an_account_without_forecasts_of_the_past_has_no_live_row(cards: Cards) -> None:
    assert set(cards.first[cards.first["account_id"] == QUIET]["said"]) == {"backtest"}


def test_a_warehouse_made_anew_gives_the_same_card(cards: Cards) -> None:
    pd.testing.assert_frame_equal(cards.first, cards.anew)


def test_a_build_keeps_what_it_said_in_one_whole_file(cards: Cards) -> None:
    (kept,) = cards.kept
    with duckdb.connect() as con:
        rows = con.execute(
            f"select account_id, as_of, projected_quantity, run_rate_quantity, run_id from '{kept}'"
        ).fetchall()
    # the item without a forecast said nothing
    assert [(row[0], row[1], float(row[2]), float(row[3])) for row in rows] == [(ACCOUNT, AS_OF, 120.0, 100.0)]
    assert kept.stem == f"run={rows[0][4]}"


def test_the_build_warns_of_segments_that_do_worse_than_their_baseline(cards: Cards) -> None:
    worse = cards.first[cards.first["is_worse_than_baseline"] & (cards.first["n_compared"] >= 30)]
    assert len(worse) >= 2
    assert f"WARN {len(worse)} forecasts_beat_their_baselines" in cards.warned
