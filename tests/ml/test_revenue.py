"""Revenue trends and bands against figures known from how the customers were made, or worked out by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml import revenue, warehouse
from ml.revenue_book import LEVELS, book_of
from tests.ml import synthetic
from tests.ml.revenue_company import loaded, months

AS_OF = date(2026, 10, 31)
BANDS = ["q025", "q10", "q90", "q975"]


def said(rows: pd.DataFrame, as_of: date = AS_OF) -> pd.DataFrame:
    return revenue.forecast(loaded(rows), as_of)


def by_hand(*customers: tuple[str, str, list[tuple[int, int]]]) -> pd.DataFrame:
    """Rows of customers given by id, plan, and committed and metered MRR a month up to October; (0, 0) is no row."""
    rows = []
    for customer, plan, amounts in customers:
        starts = pd.date_range(end="2026-10-01", periods=len(amounts), freq="MS")
        for start, (committed, metered) in zip(starts, amounts, strict=True):
            if committed or metered:
                key = {
                    "account_id": "a",
                    "customer_id": customer,
                    "plan": plan,
                    "currency": "usd",
                    "month_start": start,
                }
                money = {"committed_mrr_minor": committed, "metered_mrr_minor": metered}
                rows.append({**key, **money, "reporting_factor": 1.0})
    return pd.DataFrame(rows)


def test_growth_is_that_of_customers_seen_three_months_in_a_row_damped_month_by_month() -> None:
    steady = ("old", "growth", [(100, 1000), (100, 1100), (100, 1210), (100, 1331)])
    first_bill = ("new", "growth", [(0, 0), (0, 0), (50, 0), (50, 9000)])
    leaving = ("gone", "growth", [(10, 5000), (10, 5000), (0, 0), (0, 0)])
    found = said(by_hand(steady, first_bill, leaving))
    plan = found[found["level"] == "plan"].set_index("months_ahead")["metered_growth"]
    # two months of 10 % a month, drawn with the weight of six to what the currency and the company were drawn to
    own, company = np.log(1.1), 2 / 8 * np.log(1.1)
    currency = (2 * own + 6 * company) / 8
    drawn = (2 * own + 6 * currency) / 8
    assert plan[1] == pytest.approx(np.exp(0.8 * drawn))
    assert plan[12] == pytest.approx(np.exp(drawn * sum(0.8**k for k in range(1, 13))))


def test_a_customer_that_changes_plan_counts_where_it_was() -> None:
    amounts = [(100, 1000), (100, 1000), (100, 1000)]
    before = ("moved", "starter", [*amounts, (0, 0)])
    after = ("moved", "growth", [(0, 0), (0, 0), (0, 0), (300, 500)])
    book = book_of(loaded(by_hand(before, after)), AS_OF)
    starter = book.names["plan"].index(("starter", "usd"))
    assert (book.were["plan"][starter, 3], book.came["plan"][starter, 3]) == (1000, 500)
    assert book.gone.sum() == 0


def test_a_plan_of_little_history_follows_its_currency_and_the_company() -> None:
    rows = months(customers=90, hazard=0.0, growth=0.03, noise=0.01)
    lone = rows[(rows["customer_id"] == "cus_000") & (rows["month_start"] >= date(2026, 8, 1))]
    found = said(pd.concat([rows, lone.assign(customer_id="cus_new", plan="trial", metered_mrr_minor=100)]))
    growth = found[found["months_ahead"] == 1].set_index(["level", "plan", "currency"])["metered_growth"]
    assert growth["plan", "trial", "jpy"] == pytest.approx(growth["currency", "all", "jpy"], rel=0.005)
    assert growth["plan", "growth", "usd"] == pytest.approx(np.exp(0.8 * 0.03), rel=0.005)


def test_every_level_has_twelve_months_and_bands_that_never_narrow_around_one() -> None:
    found = said(months())
    counts = found.groupby("level").size() // 12
    assert counts.to_dict() == {"plan": 4, "currency": 2, "company": 1}
    assert set(found["months_ahead"]) == set(range(1, 13))
    ordered = found[["q025", "q10"]].assign(one=1.0).join(found[["q90", "q975"]])
    assert (ordered.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    for _, one in found.groupby(["level", "plan", "currency"]):
        assert (one.sort_values("months_ahead")["q90"].diff().dropna() >= 0).all()


def test_nothing_after_a_month_end_changes_what_is_said_there() -> None:
    rows = months()
    cut, origin = date(2026, 3, 31), 14
    past = rows[rows["month_start"] <= cut]
    after = (rows["month_start"] > cut).to_numpy()
    poisoned = rows.assign(
        committed_mrr_minor=rows["committed_mrr_minor"].where(~after, 99_000_000),
        metered_mrr_minor=rows["metered_mrr_minor"].where(~after, 77_000_000),
        reporting_factor=rows["reporting_factor"].where(~after, 1000.0),
    )
    book, poison = book_of(loaded(rows), AS_OF), book_of(loaded(poisoned), AS_OF)
    assert np.array_equal(revenue.project(book, origin, 12), revenue.project(poison, origin, 12))
    errors, other = revenue.past_errors(book, 12), revenue.past_errors(poison, 12)
    over = errors["origin"] + errors["steps"] <= origin
    assert over.sum() > 300
    pd.testing.assert_frame_equal(errors[over], other[other["origin"] + other["steps"] <= origin])
    pd.testing.assert_frame_equal(said(past, cut), said(poisoned[~after], cut))


def test_past_errors_are_of_the_customers_paying_then_without_those_won_later() -> None:
    steady = ("old", "growth", [(1000, 0)] * 6)
    won = ("new", "growth", [(0, 0)] * 5 + [(50_000, 0)])
    errors = revenue.past_errors(book_of(loaded(by_hand(steady, won)), AS_OF), 3)
    assert errors["error"].tolist() == pytest.approx([0.0] * len(errors))
    assert set(errors["origin"]) == {3, 4}


def test_a_sum_that_is_in_no_reporting_currency_is_left_out_of_the_company() -> None:
    found = said(months(currencies=("usd", "xxx")))
    bands = found[found["level"] == "company"][BANDS]
    assert bands.notna().all(axis=None)
    assert said(months(currencies=("xxx",))).query("level == 'company'")[BANDS].isna().all(axis=None)


def test_bands_cover_what_came_about_as_often_as_they_say() -> None:
    inside: dict[str, list[bool]] = {level: [] for level in LEVELS}
    for seed in range(12):
        book = book_of(loaded(months(count=30, customers=120, seed=seed)), AS_OF)
        errors = revenue.past_errors(book, 6)
        last = errors["origin"] + errors["steps"] > 26  # judged by widths from errors known at month 26
        for level in LEVELS:
            widths, _ = revenue.widths(errors[~last], level, 6)
            rows = errors[last & (errors["level"] == level) & (errors["origin"] >= 26)]
            half = widths[0][rows["steps"].to_numpy(int) - 1] * rows["spread"].to_numpy(float)
            inside[level] += list(rows["error"].abs().to_numpy(float) <= half)
    for level in LEVELS:
        assert np.mean(inside[level]) == pytest.approx(0.80, abs=0.12), level


def test_a_distance_with_few_past_forecasts_gets_the_band_of_a_nearer_one_widened() -> None:
    found, _ = revenue.widths(revenue.past_errors(book_of(loaded(months(count=13)), AS_OF), 12), "company", 12)
    # nine month ends to forecast from: four a month of distance are there for two months ahead
    assert (found[:, 2:] >= found[:, [1]] * (np.arange(3, 13) / 2) ** 0.75 - 1e-9).all()
    assert found[:, 11] == pytest.approx(found[:, 1] * 6**0.75)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_with_hardly_any_history_growth_is_flat_or_slight_and_there_is_no_band(count: int) -> None:
    found = said(months(count=count, customers=6, hazard=0.0))
    assert found[BANDS].isna().all(axis=None)
    assert (set(found["method"]) == {"flat"}) == (count < 3)
    assert found["metered_growth"].between(0.5, 2).all()


def test_one_customer_is_a_company() -> None:
    found = said(months(customers=1, currencies=("usd",)))
    assert found.groupby("level").size().to_dict() == {"plan": 12, "currency": 12, "company": 12}
    assert np.isfinite(found["metered_growth"]).all()


def test_a_month_that_is_not_over_is_a_step_of_its_own() -> None:
    rows = months()
    closed, running = (
        said(rows[rows["month_start"] < date(2026, 10, 1)], date(2026, 9, 30)),
        said(rows, date(2026, 10, 17)),
    )
    names = ["level", "plan", "currency", "months_ahead"]
    pd.testing.assert_series_equal(
        closed.set_index(names)["metered_growth"], running.set_index(names)["metered_growth"]
    )
    both = closed.set_index(names)["n"].unstack(), running.set_index(names)["n"].unstack()
    assert (both[0][2] == both[1][1]).all()


def test_an_account_without_revenue_has_no_rows() -> None:
    assert said(months().head(0)).empty


def test_a_replay_does_not_read_the_month_it_stands_in(tmp_path: Path) -> None:
    path = synthetic.build(tmp_path / "warehouse.duckdb", items=2, days=60, customers=2)
    with warehouse.opened(path, 1) as connection:
        replayed = revenue.load(connection, date(2026, 10, 17), synthetic.AS_OF)
        built = revenue.load(connection, synthetic.AS_OF, synthetic.AS_OF)
    assert replayed["month_start"].max() == pd.Timestamp("2026-09-01")
    assert built["month_start"].max() == pd.Timestamp("2026-10-01")
