from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.clock import DAY, add_intervals, period_at


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_months_are_counted_from_the_anchor_so_that_the_31st_comes_back() -> None:
    anchor = at("2026-01-31T09:30:07")
    starts = [add_intervals(anchor, "month", count) for count in range(4)]
    wanted = ["2026-01-31T09:30:07", "2026-02-28T09:30:07", "2026-03-31T09:30:07", "2026-04-30T09:30:07"]
    assert starts == [at(text) for text in wanted]


def test_a_year_from_a_leap_day_ends_on_the_28th_and_the_fourth_on_the_29th() -> None:
    anchor = at("2024-02-29T00:00:01")
    assert add_intervals(anchor, "year", 1) == at("2025-02-28T00:00:01")
    assert add_intervals(anchor, "year", 4) == at("2028-02-29T00:00:01")


@pytest.mark.parametrize(("interval", "count", "days"), [("day", 3, 3), ("week", 2, 14)])
def test_days_and_weeks_have_a_fixed_length(interval: str, count: int, days: int) -> None:
    assert period_at(1_000, interval, count, 1_000 + days * DAY) == (1_000 + days * DAY, 1_000 + 2 * days * DAY)


def test_a_quarter_is_three_months_of_the_anchor() -> None:
    anchor = at("2025-11-30T12:00:00")
    assert period_at(anchor, "month", 3, at("2026-03-15T00:00:00")) == (
        at("2026-02-28T12:00:00"),
        at("2026-05-30T12:00:00"),
    )


@given(
    st.integers(1_500_000_000, 1_900_000_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 12),
    st.integers(0, 300_000_000),
)
def test_periods_meet_without_gap_or_overlap(anchor: int, interval: str, count: int, later: int) -> None:
    start, end = period_at(anchor, interval, count, anchor + later)
    assert start <= anchor + later < end
    assert period_at(anchor, interval, count, end)[0] == end
    assert period_at(anchor, interval, count, start - 1)[1] == start
