"""`python -m ml bench detect`: verdicts about anybody's panel, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml import anomaly, bench_detect
from tests.ml.conftest import Cli, settings_in

SERIES, DAYS = 12, 120
COLUMNS = ["unique_id", "ds", "expected", "score", "is_anomaly", "kind"]


def panel_frame(start: str = "2026-01-05", step: str = "D") -> pd.DataFrame:
    """Weekly series with a spike in s03; a gap of rows in s01, of values in s02, one that is constant, one of a day."""
    rng = np.random.default_rng(1)
    when = pd.date_range(start, periods=DAYS, freq=step)
    values = 100 * (1 + rng.normal(0, 0.05, (SERIES, DAYS)))
    values[3, 100], values[2, 50:60], values[4] = 300, np.nan, 7.0
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{one:02d}" for one in range(SERIES)], DAYS),
            "ds": np.tile(when, SERIES),
            "y": values.ravel(),
        }
    )
    missing = (frame["unique_id"] == "s01") & frame["ds"].isin(when[40:50])
    short = (frame["unique_id"] == "s05") & (frame["ds"] > when[0])
    return frame[~missing & ~short].sample(frac=1, random_state=2)


def detect(cli: Cli, folder: Path, frame: pd.DataFrame, frequency: str) -> tuple[int, str, str]:
    frame.to_parquet(folder / "panel.parquet")
    options = "--panel", str(folder / "panel.parquet"), "--output", str(folder / "new" / "said.parquet")
    return cli(settings_in(folder), "bench", "detect", *options, "--frequency", frequency)


@pytest.mark.parametrize(("frequency", "start"), [("D", "2026-01-05"), ("h", "2026-01-05 07:00")])
def test_each_row_gets_a_verdict_in_the_form_the_scorer_reads(
    cli: Cli, tmp_path: Path, frequency: str, start: str
) -> None:
    frame = panel_frame(start, frequency)
    code, out, err = detect(cli, tmp_path, frame, frequency)
    assert (code, err) == (0, "")
    said = pd.read_parquet(tmp_path / "new" / "said.parquet")
    assert said.columns.tolist() == COLUMNS
    assert said["is_anomaly"].dtype == bool
    assert np.isfinite(said["score"]).all()
    keys = [list(one[["unique_id", "ds"]].itertuples(index=False, name=None)) for one in (frame, said)]
    assert keys[0] == keys[1]
    assert set(said["kind"][~said["is_anomaly"]]) == {""}
    if frequency == "D":
        spiked = said[(said["unique_id"] == "s03") & (said["ds"] == pd.Timestamp(start) + pd.Timedelta(days=100))]
        assert spiked["kind"].tolist() == ["spike"]
        assert out.startswith(f"{int(said['is_anomaly'].sum())} of {len(said)} points of 12 series flagged (")
        assert "spike " in out
    assert not said["is_anomaly"][said["unique_id"] == "s04"].any()
    assert said["expected"][said["unique_id"] == "s05"].isna().all()
    assert (said["score"][frame["y"].isna().to_numpy()] == 0).all()


def test_the_verdicts_are_those_of_the_product_on_the_same_values(tmp_path: Path) -> None:
    frame = panel_frame()
    frame.to_parquet(tmp_path / "panel.parquet")
    bench_detect.run(tmp_path / "panel.parquet", "D", tmp_path / "said.parquet")
    said = pd.read_parquet(tmp_path / "said.parquet").pivot(index="unique_id", columns="ds", values="score")
    values = frame.pivot(index="unique_id", columns="ds", values="y").to_numpy(np.float64)
    assert np.array_equal(said.fillna(0.0).to_numpy(), anomaly.detect(values, "D").score)


def test_days_of_a_time_zone_are_those_of_its_calendar(tmp_path: Path) -> None:
    frame = panel_frame()
    frame.assign(ds=frame["ds"].dt.tz_localize("Europe/Berlin")).to_parquet(tmp_path / "panel.parquet")
    bench_detect.run(tmp_path / "panel.parquet", "D", tmp_path / "said.parquet")
    assert pd.read_parquet(tmp_path / "said.parquet")["ds"].tolist() == frame["ds"].tolist()


def bad_panels() -> dict[str, tuple[pd.DataFrame, str]]:
    days = pd.date_range("2026-01-01", periods=60)
    plain = pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})
    century = plain.assign(unique_id=[f"s{one}" for one in range(60)])
    century.loc[0, "ds"] = pd.Timestamp("1700-01-01")
    return {
        "column": (plain.drop(columns="y"), "it lacks y"),
        "twice": (pd.concat([plain, plain[:1]]), "two rows of one series and hour"),
        "between": (plain.assign(ds=plain["ds"] + pd.Timedelta(minutes=5)), "times between hours"),
        "text": (plain.assign(y="many"), "y numbers"),
        "no day": (plain.assign(ds="some day"), "ds must be times"),
        "infinite": (plain.assign(y=np.inf), "infinite"),
        "huge": (plain.assign(y=1e200), "beyond 1e+90"),
        "nothing": (plain.assign(y=np.nan), "no finite value"),
        "empty": (plain[:0], "no finite value"),
        "large": (century, "more than 500,000 points or 30,000,000 cells"),
    }


@pytest.mark.parametrize("kind", bad_panels())
def test_a_file_that_is_no_panel_is_refused_in_one_sentence(kind: str, cli: Cli, tmp_path: Path) -> None:
    frame, says = bad_panels()[kind]
    code, out, err = detect(cli, tmp_path, frame, "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert "panel.parquet is no panel to search" in err
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_not_parquet_is_refused_in_one_sentence(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "panel.csv").write_text("unique_id,ds,y\n")
    options = "--panel", str(tmp_path / "panel.csv"), "--output", str(tmp_path / "said.parquet")
    code, _, err = cli(settings_in(tmp_path), "bench", "detect", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be read as Parquet" in err
