"""Detection on any panel: verdicts from the past only, kinds, and what is said of hard cases."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import anomaly, anomaly_evidence
from ml.anomaly_filter import follow

Floats = NDArray[np.float64]
WEEK = np.array([1.0, 1.1, 1.2, 1.1, 1.0, 0.6, 0.5])
DAYS = 200
QUIET = 12  # the series whose days nothing is planted in


def weekly(rng: np.random.Generator, series: int, days: int = DAYS, noise: float = 0.08) -> Floats:
    found: Floats = 1000 * WEEK[np.arange(days) % 7] * (1 + rng.normal(0, noise, (series, days)))
    return found


@pytest.fixture(scope="module")
def panel() -> Floats:
    """Twelve quiet weekly series, and one of each kind of anomaly at day 150."""
    values = weekly(np.random.default_rng(3), QUIET + 5)
    values[QUIET, 150] *= 2.5
    values[QUIET + 1, 150] *= 0.2
    values[QUIET + 2, 150:160] *= 1.3
    values[QUIET + 3, 150:160] *= 0.7
    values[QUIET + 4, 150:153] = 0
    return values


@pytest.fixture(scope="module")
def judged(panel: Floats) -> anomaly.Judged:
    return anomaly.detect(panel, "D")


def test_each_kind_of_anomaly_is_found_and_named(panel: Floats, judged: anomaly.Judged) -> None:
    named = [set(judged.kind[QUIET + one, 150:153].tolist()) - {""} for one in range(5)]
    assert named[0] == {"spike"}
    assert named[1] == {"drop"}
    assert "surge" in set(judged.kind[QUIET + 2].tolist())
    assert "dip" in set(judged.kind[QUIET + 3].tolist())
    assert named[4] == {"zero"}
    assert (judged.score[QUIET : QUIET + 5, 150] > 0).tolist() == [True, False, True, False, False]


def test_quiet_weekly_series_raise_no_alarm_where_two_sigma_does(panel: Floats, judged: anomaly.Judged) -> None:
    assert judged.is_anomaly[:QUIET].mean() < 0.002
    weekend = np.arange(DAYS) % 7 == 6
    falls = weekly(np.random.default_rng(4), 5)
    falls[:, 150:160] *= 0.45  # of a workday, which is no less than a usual Sunday: the rule is blind to it
    assert anomaly.rule_baseline(falls)[:, 150:160][:, ~weekend[150:160]].mean() < 0.9
    assert anomaly.detect(falls, "D").is_anomaly[:, 150:153].any(axis=1).all()


def test_what_was_expected_is_near_what_came_and_knows_the_weekday(panel: Floats, judged: anomaly.Judged) -> None:
    off = np.abs(judged.expected[:QUIET, 60:] - panel[:QUIET, 60:]) / panel[:QUIET, 60:]
    assert np.median(off) < 0.09
    at = np.arange(60, DAYS)
    assert judged.expected[0, at[at % 7 == 6]].mean() == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_what_comes_after_a_point_does_not_move_its_verdict(panel: Floats, frequency: str) -> None:
    until = 152
    poisoned = panel.copy()
    poisoned[:, until:] = np.random.default_rng(0).choice([0.0, 1e9, -1e9, np.nan], poisoned[:, until:].shape)
    before, after = anomaly.detect(panel, frequency), anomaly.detect(poisoned, frequency)
    cut = anomaly.detect(panel[:, :until], frequency)
    for name in ("expected", "score", "is_anomaly", "kind", "point", "shift", "silence"):
        kept = getattr(before, name)[:, :until]
        assert np.array_equal(kept, getattr(after, name)[:, :until], equal_nan=name not in {"is_anomaly", "kind"}), name
        assert np.array_equal(kept, getattr(cut, name), equal_nan=name not in {"is_anomaly", "kind"}), name


def test_a_single_series_is_judged_as_it_is_in_a_panel_of_others_that_do_not_move_together() -> None:
    values = weekly(np.random.default_rng(5), 6)
    values[0, 120] *= 3
    alone, among = anomaly.detect(values[:1], "D"), anomaly.detect(values, "D")
    assert alone.kind[0, 120] == among.kind[0, 120] == "spike"


def test_a_day_on_which_all_series_fall_is_expected_and_what_one_does_besides_is_not() -> None:
    values = weekly(np.random.default_rng(6), 30)
    values[:, 150] *= 0.75
    values[3, 150] *= 2.5
    found = anomaly.detect(values, "D")
    assert np.flatnonzero(found.is_anomaly[:, 150]).tolist() == [3]
    assert found.common[150] < -2
    assert np.abs(found.common[:150]).max() < 2


def test_a_level_that_stays_is_reported_and_then_taken_for_the_new_one() -> None:
    values = weekly(np.random.default_rng(7), 4)
    values[:, 120:] *= 1.8
    found = anomaly.detect(values, "D")
    assert found.is_anomaly[:, 120:127].any(axis=1).all()
    assert not found.is_anomaly[:, 150:].any()
    assert found.expected[:, 150:].mean() == pytest.approx(values[:, 150:].mean(), rel=0.1)


def test_noise_that_is_a_factor_is_judged_near_its_logarithm() -> None:
    """Doubling as easily as halving, it has peaks that are no news and falls that are."""
    rng = np.random.default_rng(8)
    values = 1000 * WEEK[np.arange(300) % 7] * np.exp(rng.normal(0, 0.5, (30, 300)))
    values[:10, 290] *= 0.03
    found, plain = anomaly.detect(values, "D"), follow(values, 7).surprise
    assert (np.abs(np.nan_to_num(plain)) >= anomaly.THRESHOLD).sum() > 5
    assert found.is_anomaly[10:].sum() <= 1
    assert found.score[:10, 290].mean() < -2.5
    assert plain[:10, 290].mean() > -1.5
    usual = np.median(found.expected[:, 200:280] / (1000 * WEEK[np.arange(200, 280) % 7]))
    assert usual == pytest.approx(1.0, rel=0.1)


def test_the_unit_of_a_series_does_not_matter_and_a_fall_below_zero_is_a_rise_turned_over() -> None:
    values = weekly(np.random.default_rng(16), 4)
    values[0, 150] *= 3
    found = anomaly.detect(values, "D")
    for unit in (1e-14, 1e60):
        assert anomaly.detect(values * unit, "D").score == pytest.approx(found.score, abs=1e-6)
    assert anomaly.detect(-values, "D").score == pytest.approx(-found.score)


@pytest.mark.parametrize("shape", [(0, 50), (3, 0)])
def test_no_series_or_no_points_give_no_verdicts(shape: tuple[int, int]) -> None:
    assert anomaly.detect(np.zeros(shape), "D").score.shape == shape


def test_a_constant_series_is_never_flagged_until_it_moves() -> None:
    values = np.full((2, DAYS), 40.0)
    values[1, 150] = 60
    found = anomaly.detect(values, "D")
    assert not found.is_anomaly[0].any()
    assert np.flatnonzero(found.is_anomaly[1])[:1].tolist() == [150]
    assert np.nanmax(np.abs(found.score)) <= anomaly.MOST
    assert found.expected[0, 1:] == pytest.approx(np.full(DAYS - 1, 40.0))


def test_the_first_use_of_a_series_of_zeros_is_not_judged_nor_the_four_weeks_after() -> None:
    values = np.zeros((1, DAYS))
    values[0, 100:] = weekly(np.random.default_rng(9), 1)[0, 100:]
    assert not anomaly.detect(values, "D").is_anomaly.any()


def test_a_silence_is_reported_for_two_weeks_and_a_series_that_wakes_begins_anew() -> None:
    values = weekly(np.random.default_rng(10), 1, 260)
    values[0, 120:200] = 0
    found = anomaly.detect(values, "D")
    assert set(found.kind[0, 120:134].tolist()) == {"zero"}
    assert not found.is_anomaly[0, 134:200].any()
    assert not found.is_anomaly[0, 201:].any()


def test_zeros_where_zeros_are_common_are_no_silence() -> None:
    values = weekly(np.random.default_rng(11), 1)
    values[0, np.arange(DAYS) % 7 >= 5] = 0
    assert not anomaly.detect(values, "D").is_anomaly.any()
    assert anomaly_evidence.silence(values, 7)[0][0, 100:].min() == 0


@pytest.mark.parametrize("days", [1, 2, 28])
def test_a_short_history_is_not_judged(days: int) -> None:
    found = anomaly.detect(weekly(np.random.default_rng(12), 12, days) * np.array([[1.0]] * 11 + [[50.0]]), "D")
    assert not found.is_anomaly.any()
    assert (found.score == 0).all()
    assert np.isnan(found.expected[:, 0]).all()
    assert set(found.kind.ravel().tolist()) == {""}


def test_gaps_are_not_judged_and_do_not_disturb_what_follows() -> None:
    values = weekly(np.random.default_rng(13), 15)
    values[0, 100:130] = np.nan
    values[1, :60] = np.nan
    values[2] = np.nan
    found = anomaly.detect(values, "D")
    assert (found.score[0, 100:130] == 0).all()
    assert (found.score[1, : 60 + 28] == 0).all()
    assert (found.score[2] == 0).all()
    assert np.isnan(found.expected[2]).all()
    assert found.is_anomaly.mean() < 0.002


def test_an_hourly_series_is_judged_by_the_hour_of_the_day() -> None:
    rng = np.random.default_rng(14)
    hour = np.arange(24 * 30) % 24
    values = (100 + 80 * (hour == 9)) * (1 + rng.normal(0, 0.05, (1, len(hour))))
    values[0, 500] = 180 if hour[500] != 9 else 100  # the peak's height at another hour
    found = anomaly.detect(values, "h")
    assert found.kind[0, 500] == "spike"
    assert found.is_anomaly[0, 24 * 10 :].sum() <= 3


def test_the_rule_everyone_starts_with_is_two_sigma_of_the_ninety_days_before() -> None:
    values = weekly(np.random.default_rng(15), 3, 130)
    values[0, 40:50] = np.nan
    found = anomaly.rule_baseline(values)
    for series in range(3):
        for day in range(130):
            past = values[series, max(0, day - 90) : day]
            past = past[~np.isnan(past)]
            expected = len(past) >= 14 and abs(values[series, day] - past.mean()) > 2 * past.std()
            assert found[series, day] == expected
