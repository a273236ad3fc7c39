"""Features of any panel, against their definitions worked out day by day."""

from __future__ import annotations

import statistics
from datetime import timedelta

import numpy as np
import pytest

from ml.panel import BLOCKS, SCALARS
from tests.ml.panels import AS_OF, Floats, panel_of

DAYS, BACK = 430, (0, 1, 9, 30, 200)
# What a series is known to be on a day, by the day's distance from AS_OF.
Series = dict[int, float]


def gappy() -> Floats:
    """Series with gaps, zeros, late starts, long silences, a single point; one turns a million times larger."""
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 10, (9, DAYS))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    values[1, rng.uniform(size=DAYS) < 0.7] = 0.0
    values[2, :-20] = np.nan
    values[3, -60:] = np.nan
    values[4, -330:] = np.nan
    values[5] = np.nan
    values[5, -205] = 8.0
    values[6] = 0.0
    values[7, -25:] *= 1e6
    values[8, 20:] = np.nan
    return values


def known(values: Floats) -> Series:
    return {DAYS - 1 - day: float(value) for day, value in enumerate(values) if not np.isnan(value)}


def mean(found: list[float]) -> float:
    return statistics.fmean(found) if found else np.nan


def expected(series: Series, back: int) -> dict[str, float | list[float]]:
    past = {distance - back: value for distance, value in series.items() if distance >= back}
    within = {n: [value for ago, value in past.items() if ago < n] for n in (7, 14, 28, 56, 91, 364, DAYS)}
    found: dict[str, float | list[float]] = {f"mean_{n}": mean(within[n]) for n in (7, 14, 28, 56, 91, 364)}
    if within[28]:
        found["level"] = (mean(within[28]) + mean(within[91])) / 2
    else:
        found["level"] = mean(within[91] or within[364] or within[DAYS])
    found["sd_28"] = statistics.stdev(within[28]) if len(within[28]) > 1 else np.nan
    found |= {f"last_{n}": past.get(n - 1, np.nan) for n in (1, 2, 3, 7)}
    found["history_days"] = max(past) + 1
    found["zero_share_28"] = within[28].count(0.0) / len(within[28]) if within[28] else np.nan
    found["days_since_nonzero"] = min((ago for ago, value in past.items() if value > 0), default=np.nan)
    by_weekday: dict[int, list[float]] = {}
    for weekday in range(7):
        ago = next(n for n in range(7) if (AS_OF - timedelta(days=back + n)).weekday() == weekday)
        by_weekday[weekday] = [past.get(ago + 7 * week, np.nan) for week in range(8)]
    seen = {weekday: [[v for v in found[:n] if v == v] for n in (4, 8)] for weekday, found in by_weekday.items()}
    found["same_weekday_last"] = [by_weekday[day][0] for day in range(7)]
    found["same_weekday_mean_4"] = [mean(seen[day][0]) for day in range(7)]
    found["same_weekday_mean_8"] = [mean(seen[day][1]) for day in range(7)]
    found["same_weekday_median_8"] = [statistics.median(seen[day][1] or [np.nan]) for day in range(7)]
    found["year_before"] = [past.get(ago, np.nan) for ago in range(391, 265, -1)]
    return found


def test_features_are_what_their_definitions_say_of_the_days_that_are_known() -> None:
    values = gappy()
    panel = panel_of(values, back=BACK)
    assert set(panel.features) == {*SCALARS, *BLOCKS}
    backs = [(AS_OF - day).days for day in panel.rows["origin_date"]]
    assert {int(item) for item in panel.item} == set(range(9))
    for row, (item, back) in enumerate(zip(panel.item, backs, strict=True)):
        for name, value in expected(known(values[item]), back).items():
            found = panel.features[name][row]
            # running sums keep 16 digits of the whole series, of which the windows here take most
            assert found == pytest.approx(np.array(value), rel=1e-9, abs=1e-9, nan_ok=True), (item, back, name)


def test_an_item_is_seen_from_its_first_day_on() -> None:
    panel = panel_of(gappy(), back=BACK)
    young = panel.rows["subscription_item_id"].eq("si_002").to_numpy()
    assert panel.features["history_days"][young].tolist() == sorted(panel.features["history_days"][young])
    assert young.sum() == 3  # 0, 1 and 9 days back: it is 20 days old at most


def test_features_at_an_origin_do_not_change_when_later_days_do() -> None:
    values = gappy()
    poisoned = values.copy()
    poisoned[:, -30:] = 1e9
    before, after = panel_of(values, back=(30, 200)), panel_of(poisoned, back=(30, 200))
    assert before.rows["subscription_item_id"].nunique() == 8
    for name, found in before.features.items():
        assert np.array_equal(found, after.features[name], equal_nan=True), name
    at_end = panel_of(values), panel_of(poisoned)
    assert not np.array_equal(at_end[0].features["level"], at_end[1].features["level"])
