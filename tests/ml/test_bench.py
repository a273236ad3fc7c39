"""`python -m ml bench backtest`: forecasts of anybody's panel, from what was known at each cutoff only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml import bench, intervals
from tests.ml.conftest import Cli, settings_in
from tests.ml.panels import AS_OF, usage

ITEMS, DAYS, HORIZON, WINDOWS = 20, 210, 14, 2
CUTOFFS = [pd.Timestamp(AS_OF) - pd.Timedelta(days=back) for back in (28, 14)]
COLUMNS = ["unique_id", "cutoff", "ds", "mean", "median", *intervals.QUANTILES]


def panel_frame() -> pd.DataFrame:
    """Noisy weekly series; gaps, a late start, one that starts after the first cutoff, a constant, one of zeros."""
    rng = np.random.default_rng(11)
    values = usage(rng, ITEMS, DAYS)
    values[2:6][rng.uniform(size=(4, DAYS)) < 0.15] = np.nan
    values[6, :-50] = np.nan
    values[7, :-20] = np.nan
    values[8], values[9] = 4.0, 0.0
    values[10, -80:-10] = np.nan
    days = pd.date_range(end=pd.Timestamp(AS_OF), periods=DAYS)
    found = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{item:02d}" for item in range(ITEMS)], DAYS),
            "ds": np.tile(days, ITEMS),
            "y": values.ravel(),
        }
    )
    dropped = found["y"].isna() & (found["unique_id"] != "s03")  # a gap may be a missing row or a row without y
    return found[~dropped].sample(frac=1, random_state=1)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, str]:
    folder = tmp_path_factory.mktemp("bench")
    panel_frame().to_parquet(folder / "panel.parquet")
    sentence = bench.run(folder / "panel.parquet", HORIZON, WINDOWS, folder / "said.parquet", threads=1)
    return pd.read_parquet(folder / "said.parquet"), sentence


def test_each_series_known_at_a_cutoff_gets_one_row_for_each_day_after_it(said: tuple[pd.DataFrame, str]) -> None:
    forecasts, sentence = said
    assert forecasts.columns.tolist() == COLUMNS
    every = [f"s{item:02d}" for item in range(ITEMS)]
    expected = {
        (series, cutoff, cutoff + pd.Timedelta(days=step))
        for cutoff in CUTOFFS
        for series in every
        if series != "s07" or cutoff == CUTOFFS[1]  # nothing was known of it at the first
        for step in range(1, HORIZON + 1)
    }
    rows = list(forecasts[["unique_id", "cutoff", "ds"]].itertuples(index=False, name=None))
    assert len(rows) == len(set(rows))
    assert set(rows) == expected
    assert sentence.startswith(f"{len(rows)} forecasts of 20 series at 2 cutoffs: ")


def test_forecasts_are_known_and_never_negative_and_their_bands_never_cross(said: tuple[pd.DataFrame, str]) -> None:
    forecasts = said[0]
    values = forecasts[["q025", "q10", "median", "q90", "q975"]].to_numpy(np.float64)
    assert np.isfinite(values).all()
    assert np.isfinite(forecasts["mean"]).all()
    assert (values[:, 0] >= 0).all()
    assert (np.diff(values, axis=1) >= 0).all()
    idle = forecasts[forecasts["unique_id"] == "s09"]
    assert (idle[["mean", "median", "q10"]] == 0).all(axis=None)
    constant = forecasts[forecasts["unique_id"] == "s08"]
    assert constant["median"].to_numpy() == pytest.approx(np.full(2 * HORIZON, 4.0), rel=0.1)


def test_forecasts_are_nearer_than_the_last_same_weekday_and_bands_hold_most_days(
    said: tuple[pd.DataFrame, str],
) -> None:
    actual = panel_frame()
    week = actual.assign(ds=actual["ds"] + pd.Timedelta(days=14)).rename(columns={"y": "naive"})
    judged = said[0].merge(actual, on=["unique_id", "ds"]).merge(week, on=["unique_id", "ds"]).dropna()
    assert len(judged) > 400
    off = (judged["median"] - judged["y"]).abs().sum()
    assert off < 0.9 * (judged["naive"] - judged["y"]).abs().sum()
    assert 0.65 < judged["y"].between(judged["q10"], judged["q90"]).mean() < 0.95


def test_what_comes_after_a_cutoff_does_not_move_a_byte_of_its_forecasts(
    said: tuple[pd.DataFrame, str], cli: Cli, tmp_path: Path
) -> None:
    frame = panel_frame()
    frame["y"] *= np.where(frame["ds"] > CUTOFFS[0], 1_000.0, 1.0)
    frame.to_parquet(tmp_path / "panel.parquet")
    options = "--panel", str(tmp_path / "panel.parquet"), "--output", str(tmp_path / "said.parquet")
    code, out, _ = cli(
        settings_in(tmp_path), "bench", "backtest", *options, "--horizon", str(HORIZON), "--windows", str(WINDOWS)
    )
    assert (code, out.count("\n")) == (0, 1)
    poisoned = pd.read_parquet(tmp_path / "said.parquet")
    first, second = ([one[one["cutoff"] == cutoff] for one in (said[0], poisoned)] for cutoff in CUTOFFS)
    assert first[0].equals(first[1])
    assert not second[0].equals(second[1])


def bad_panels() -> dict[str, tuple[pd.DataFrame, str]]:
    days = pd.date_range("2026-01-01", periods=60)
    plain = pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})
    return {
        "column": (plain.drop(columns="ds"), "it lacks ds"),
        "twice": (pd.concat([plain, plain[:1]]), "two rows of one series and day"),
        "text": (plain.assign(y="many"), "y numbers"),
        "no day": (plain.assign(ds="some day"), "ds must be dates"),
        "infinite": (plain.assign(y=np.inf), "infinite"),
        "nothing": (plain.assign(y=np.nan), "no finite value"),
        "empty": (plain[:0], "no finite value"),
        "short": (plain[:28], "28 days, which is not more than 2 windows of 14 days"),
    }


@pytest.mark.parametrize("kind", bad_panels())
def test_a_file_that_is_no_panel_is_refused_in_one_sentence(kind: str, cli: Cli, tmp_path: Path) -> None:
    frame, says = bad_panels()[kind]
    frame.to_parquet(tmp_path / "panel.parquet")
    options = "--panel", str(tmp_path / "panel.parquet"), "--output", str(tmp_path / "said.parquet")
    code, out, err = cli(settings_in(tmp_path), "bench", "backtest", *options, "--horizon", "14", "--windows", "2")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert "panel.parquet is no panel to backtest" in err
    assert not (tmp_path / "said.parquet").exists()


def test_a_file_that_is_not_parquet_is_refused_in_one_sentence(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "panel.csv").write_text("unique_id,ds,y\n")
    options = "--panel", str(tmp_path / "panel.csv"), "--output", str(tmp_path / "said.parquet")
    code, _, err = cli(settings_in(tmp_path), "bench", "backtest", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be read as Parquet" in err


def test_two_weeks_are_forecast_by_a_baseline_into_a_folder_that_was_not_there(cli: Cli, tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=16)
    pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(16.0)}).to_parquet(tmp_path / "panel.parquet")
    options = "--panel", str(tmp_path / "panel.parquet"), "--output", str(tmp_path / "new" / "said.parquet")
    code, out, _ = cli(settings_in(tmp_path), "bench", "backtest", *options, "--horizon", "7", "--windows", "1")
    assert (code, out) == (0, "7 forecasts of 1 series at 1 cutoffs: cohort_mean 100%.\n")
    found = pd.read_parquet(tmp_path / "new" / "said.parquet")
    assert found["median"].tolist() == [(day - 7 + max(day - 14, 0)) / (2 if day >= 14 else 1) for day in range(9, 16)]
