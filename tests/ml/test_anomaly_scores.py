"""Incidents of usage: what begins one, what ends it, what is never judged; nothing is known before its time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import anomaly_incidents, anomaly_scores, scores, usage_days
from ml.anomaly_incidents import Found, found_days
from ml.errors import NothingToDo
from ml.panel import Floats
from ml.settings import Settings

DAYS = 200
FIRST = date(2026, 1, 5)  # a Monday
LAST = FIRST + timedelta(days=DAYS - 1)


def items(count: int, *, meters: int = 1, per_customer: int = 1) -> pd.DataFrame:
    number = np.arange(count)
    named = {"customer_id": number // per_customer, "subscription_item_id": number, "meter_id": number % meters}
    return pd.DataFrame({name: [f"{name[:2]}_{one:03d}" for one in value] for name, value in named.items()}).assign(
        account_id="acct", first_day=FIRST, last_day=LAST
    )


def usage(count: int, seed: int = 0, noise: float = 0.15) -> Floats:
    """A weekly rhythm, quiet at weekends, with noise that is a factor; shape (count, DAYS)."""
    rng = np.random.default_rng(seed)
    rhythm = np.where(np.arange(DAYS) % 7 >= 5, 40.0, 100.0)
    found: Floats = rhythm * np.exp(rng.normal(0, noise, (count, DAYS))) * rng.uniform(1, 50, (count, 1))
    return found


def found(daily: Floats, since: int = 0, bands: Floats | None = None, named: pd.DataFrame | None = None) -> Found:
    count = len(daily)
    none = np.full((3, *daily.shape), np.nan)
    return found_days(
        items(count) if named is None else named, daily, np.full(count, since), none if bands is None else bands
    )


def of(days: pd.DataFrame, item: int) -> pd.DataFrame:
    return days[days["subscription_item_id"] == f"su_{item:03d}"].reset_index(drop=True)


def test_one_day_of_four_times_its_usage_is_one_incident_with_what_was_to_be_expected() -> None:
    daily = usage(20)
    usual = daily[3, 150]
    daily[3, 150] *= 4

    days = of(found(daily).days, 3)

    assert days[["place", "start_place"]].to_numpy().tolist() == [[150, 150]]
    assert days["quantity"][0] == 4 * usual
    assert days["expected_quantity"][0] == pytest.approx(usual, rel=0.4)
    assert days["score"][0] > 1
    assert days["is_anomaly"].all()
    assert days["is_rule_baseline"].all()
    assert days["detectors"][0].startswith("weekday")
    assert days["history_days"][0] == 149  # the first day is not whole


def test_plain_usage_has_next_to_no_incident_where_two_sigma_flag_days_every_month() -> None:
    tally = found(usage(60)).tally.iloc[0]
    assert tally["items"] == 60
    assert tally["flagged"] <= 0.002 * tally["days"]
    assert tally["rule_flagged"] > 10 * max(tally["flagged"], 1)


def test_a_silent_meter_is_an_incident_that_lasts_until_usage_is_back_or_is_taken_for_its_end() -> None:
    daily = usage(20)
    daily[5, 160:164] = 0
    days = of(found(daily).days, 5)
    assert set(days["start_place"]) == {160}
    assert {160, 161, 162, 163} <= set(days["place"])
    assert "silence" in days["detectors"][0]
    assert (days[days["is_anomaly"]]["score"] < 0).all()


def test_a_lasting_fall_by_half_is_seen_within_a_week_and_dated_back_to_its_begin() -> None:
    daily = usage(20, noise=0.1)
    daily[7, 150:] *= 0.5
    days = of(found(daily).days, 7)
    assert 150 <= days["start_place"].min() <= 152
    assert days[days["is_anomaly"]]["place"].min() <= 156


def test_a_days_verdict_does_not_depend_on_later_days() -> None:
    """Whatever comes after day t: incidents up to t, their first days, scores and evidence are the same."""
    daily = usage(40, seed=3, noise=0.3)
    daily[4, 120:123] *= 5
    daily[9, 130:] *= 0.3
    t = 140
    poisoned = daily.copy()
    poisoned[:, t + 1 :] = np.random.default_rng(9).lognormal(12, 3, poisoned[:, t + 1 :].shape)
    before, after = (one.days[one.days["place"] <= t].reset_index(drop=True) for one in (found(daily), found(poisoned)))
    # days between two unusual ones join when the later one comes
    keys = ["subscription_item_id", "place", "start_place", "quantity", "expected_quantity", "score", "related_ratio"]
    told, told_again = (one[one["is_anomaly"]][keys].reset_index(drop=True) for one in (before, after))
    assert len(told) > 3
    pd.testing.assert_frame_equal(told, told_again)


def test_only_days_from_the_asked_one_on_are_given_and_they_are_as_when_all_are_judged() -> None:
    daily = usage(30, seed=5, noise=0.4)
    daily[8, 163:167] *= 6  # it began before
    daily[2, 190] *= 9
    whole, part = found(daily), found(daily, since=165)
    expected = whole.days[whole.days["place"] >= 165].reset_index(drop=True)
    assert {163, 190} <= set(expected["start_place"])
    pd.testing.assert_frame_equal(part.days, expected)
    assert part.tally["days"][0] == 30 * (DAYS - 165)


def test_days_that_are_not_whole_and_days_before_the_first_usage_are_not_judged() -> None:
    daily = usage(12)
    daily[0, :50] = np.nan
    daily[0, 50] = 1  # it began late in the day
    daily[1, 150] = 0  # it ended early in the day
    daily[1, 151:] = np.nan
    daily[2, :90] = 0  # nothing for three months, then usage
    assert of(found(daily).days, 0).empty
    assert of(found(daily).days, 1).empty
    assert of(found(daily).days, 2).empty


@pytest.mark.parametrize(
    "daily",
    [
        np.full((3, DAYS), 7.0),
        np.zeros((3, DAYS)),
        np.full((3, DAYS), np.nan),
        np.ones((3, 1)),
        usage(3)[:, :20],
    ],
    ids=["constant", "never used", "no day", "one day", "twenty days"],
)
def test_series_that_say_nothing_have_no_incident_and_no_error(daily: Floats) -> None:
    assert found(daily).days.empty
    assert found(daily).tally["flagged"].sum() == 0


def test_usage_beyond_the_forecast_on_two_days_is_an_incident_on_the_second() -> None:
    daily = np.full((2, DAYS), 100.0)
    bands = np.full((3, 2, DAYS), np.nan)
    bands[:, :, 100:] = np.array([100.0, 90.0, 110.0])[:, None, None]
    known = daily.copy()
    known[0, 150:152] = 125.0  # 2.5 times as far as the band's end
    known[1, 150] = 125.0

    off = anomaly_incidents.band_breach(known, bands)

    assert off[0, 151] == pytest.approx(2.5)
    assert off[0, 150] == off[1, 150] == off[1, 151] == 0
    assert np.isnan(off[:, :100]).all()


def test_a_move_of_every_item_of_a_meter_is_seen_as_the_companys() -> None:
    daily = usage(30, noise=0.1)
    daily[:, 150:153] = 0
    days = found(daily).days
    assert days["company_share"].min() > 0.9

    daily = usage(30, noise=0.1)
    daily[4, 150:153] = 0
    assert of(found(daily).days, 4)["company_share"].max() < 0.2


def test_other_meters_of_the_customer_are_compared_with_what_was_expected_of_them() -> None:
    daily = usage(30, noise=0.05)
    daily[0:2, 150] *= 4
    named = items(30, meters=3, per_customer=3)
    days = of(found(daily, named=named).days, 0)
    # one of two others is at four times what was expected: the geometric mean of 4 and 1 is 2
    assert days["related_ratio"][0] == pytest.approx(2, rel=0.25)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, -1]), min_size=1, max_size=40))
def test_unusual_days_with_at_most_two_others_between_them_are_one_incident(marks: list[int]) -> None:
    """Against a plain grouping: by sign in turn, cut where the gap is longer than two days."""
    direction = np.array([marks])
    start = anomaly_incidents.incidents(direction, np.zeros((1, len(marks))), np.zeros((1, len(marks)), bool))[0]

    expected = np.full(len(marks), -1)
    unusual = [(day, mark) for day, mark in enumerate(marks) if mark]
    for _, same in groupby(unusual, key=lambda one: one[1]):
        days = [day for day, _ in same]
        cuts = [0, *(i for i in range(1, len(days)) if days[i] - days[i - 1] > 3), len(days)]
        for begin, end in pairwise(cuts):
            expected[days[begin] : days[end - 1] + 1] = days[begin]
    assert start.tolist() == expected.tolist()


def test_an_account_is_judged_whole_at_first_then_in_a_window_without_a_gap() -> None:
    begun, as_of = date(2025, 1, 1), date(2026, 10, 31)
    assert anomaly_scores.window(begun, as_of, None) == anomaly_scores.Window(begun, as_of)
    assert anomaly_scores.window(begun, as_of, date(2026, 10, 30)).first == date(2026, 9, 27)
    assert anomaly_scores.window(begun, as_of, date(2026, 6, 1)).first == date(2026, 6, 2)
    assert anomaly_scores.window(date(2026, 10, 1), as_of, as_of).first == date(2026, 10, 1)


@pytest.fixture
def company(tmp_path: Path) -> Settings:
    """A warehouse with usage of twelve items, one of which spikes on the last day but nine."""
    daily = usage(12)
    daily[3, DAYS - 10] *= 6
    frame = items(12).loc[np.repeat(np.arange(12), DAYS)].reset_index(drop=True)
    days = [FIRST + timedelta(days=int(day)) for day in np.tile(np.arange(DAYS), 12)]
    frame = frame.assign(usage_date=days, quantity=daily.ravel(), is_counted=True)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("create schema marts; create schema features")
        con.execute("create table marts.fct_usage_daily as from frame")
        con.execute(f"create table features.usage_asof as select date '{LAST}' as origin_date, true as is_scoring")
        con.execute(f"create table features.customer_asof as select date '{LAST}' as as_of_date, true as is_scoring")
        con.execute(f"create table features.revenue_months as select date '{FIRST}' as month_start")
    return Settings(tmp_path, "", 1)


def read(where: Settings, table: str) -> pd.DataFrame:
    files = sorted((where.scores / table).glob("run=*.parquet"))
    return pd.concat([pd.read_parquet(file, partitioning=None).assign(file=file.name) for file in files])


def test_the_first_run_judges_all_days_and_the_next_one_only_the_last_of_them(company: Settings) -> None:
    said: list[str] = []
    for _ in range(2):
        anomaly_scores.run(company, None, said.append)
    runs, days = read(company, "usage_anomaly_runs"), read(company, "usage_anomaly_days")
    assert list(runs["judged_from"]) == [FIRST, LAST - timedelta(days=34)]
    assert list(runs["items"]) == [12, 12]
    assert len(set(days["run_id"])) == 2
    spike = LAST - timedelta(days=9)
    assert days[days["subscription_item_id"] == "su_003"]["usage_date"].tolist().count(spike) == 2
    assert "incidents of unusual usage" in said[0]
    for table, frame in (("usage_anomaly_runs", runs), ("usage_anomaly_days", days)):
        assert list(frame.columns[:-1]) == list(scores.TABLES[table])


def test_what_one_account_is_told_does_not_depend_on_anothers_usage(company: Settings) -> None:
    anomaly_scores.run(company, None, lambda _: None)
    with duckdb.connect(str(company.warehouse)) as con:
        con.execute(
            "insert into marts.fct_usage_daily by name select * replace ('other' as account_id, "
            "quantity * (1 + 4 * (dayofmonth(usage_date) = 9)::int) as quantity) from marts.fct_usage_daily"
        )
    anomaly_scores.run(company, None, lambda _: None, everything=True)
    days = read(company, "usage_anomaly_days").query("account_id == 'acct'")
    alone, beside = (one[["usage_date", "score"]].to_numpy().tolist() for _, one in days.groupby("file"))
    assert alone == beside


def test_all_days_are_judged_anew_when_the_rules_have_changed(
    company: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    anomaly_scores.run(company, None, lambda _: None)
    monkeypatch.setattr(anomaly_scores, "VERSION", "next")
    anomaly_scores.run(company, None, lambda _: None)
    assert list(read(company, "usage_anomaly_runs")["judged_from"]) == [FIRST, FIRST]


def test_what_was_forecast_for_a_day_before_it_came_is_its_band(company: Settings, tmp_path: Path) -> None:
    rows = [
        {"as_of": LAST - timedelta(days=back), "forecast_date": LAST, "horizon": back, "yhat_median": 10.0 * back}
        for back in (0, 1, 2, 40)
    ]
    said = pd.DataFrame(rows).assign(
        account_id="acct", subscription_item_id="su_001", q025=1.0, q975=99.0, scored_at=pd.Timestamp("2026-07-20")
    )
    (company.scores / "usage_forecast").mkdir(parents=True)
    said.to_parquet(company.scores / "usage_forecast" / "run=1.parquet")

    bands = usage_days.bands(company.scores, items(3), FIRST, LAST, FIRST)

    assert bands[:, 1, -1].tolist() == [10.0, 1.0, 99.0]
    assert np.isnan(np.delete(bands.reshape(3, -1), 2 * DAYS - 1, axis=1)).all()


def test_an_account_without_usage_has_nothing_to_judge(company: Settings) -> None:
    with duckdb.connect(str(company.warehouse)) as con:
        con.execute("delete from marts.fct_usage_daily")
    with pytest.raises(NothingToDo, match="nothing to judge"):
        anomaly_scores.run(company, None, lambda _: None)
