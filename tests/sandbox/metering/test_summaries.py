"""Summaries of usage, driven by the official SDK."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.metering.days import DAY, today
from tests.sandbox.refusal import refused


def test_usage_is_summed_by_the_hour_the_day_and_the_range(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any]
) -> None:
    made, start = meter(), today(v1) - 3 * DAY
    for value, at in ((1, 0), (2, 3599), (4, 3600), (8, DAY), ("-16.25", DAY + 7200)):
        use(value, start + at)
    assert summed(made, start, start + 2 * DAY) == [(start, -1.25)]
    assert summed(made, start, start + 2 * DAY, "day") == [(start + DAY, -8.25), (start, 7.0)]
    assert summed(made, start, start + DAY, "hour") == [(start + 3600, 4.0), (start, 3.0)]
    assert summed(made, start + 60, start + 3600) == [(start + 60, 2.0)]
    assert summed(made, start - DAY, start) == []


def test_a_meter_that_counts_does_not_look_at_values(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any], customer: str
) -> None:
    made, start = meter("count"), today(v1)
    use("5", start)
    use("nonsense", start)
    use(0, start, payload={"stripe_customer_id": customer})
    assert summed(made, start, start + DAY) == [(start, 3.0)]


def test_a_meter_of_last_values_takes_the_latest_and_of_one_second_the_last_to_come(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any]
) -> None:
    made, start = meter("last"), today(v1) - DAY
    for value, at in ((9, 7200), (5, 100), (6, 100), (7, 100), (1, 50)):
        use(value, start + at)
    assert summed(made, start, start + DAY, "hour") == [(start + 7200, 9.0), (start, 7.0)]
    assert summed(made, start, start + DAY) == [(start, 9.0)]


def test_of_usage_aggregated_by_the_hour_the_last_event_of_each_hour_counts(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any]
) -> None:
    made, start = meter("sum", event_time_window="hour"), today(v1) - DAY
    for value, at in ((5, 10), (7, 20), (100, 3600), (3, 7199)):
        use(value, start + at)
    assert summed(made, start, start + DAY) == [(start, 10.0)]
    assert summed(made, start, start + DAY, "hour") == [(start + 3600, 3.0), (start, 7.0)]


@pytest.mark.parametrize(
    ("grouping", "start", "end", "param"),
    [
        (None, 30, 3600, "start_time"),
        (None, 0, 3601, "end_time"),
        ("hour", 60, 7200, "start_time"),
        ("hour", 0, 5400, "end_time"),
        ("day", 3600, DAY, "start_time"),
        ("day", 0, DAY + 3600, "end_time"),
        (None, 3600, 3600, "start_time"),
    ],
)
def test_bounds_must_be_aligned(
    v1: Any,
    meter: Callable[..., Any],
    summed: Callable[..., Any],
    grouping: str | None,
    start: int,
    end: int,
    param: str,
) -> None:
    made, day = meter(), today(v1)
    with refused(param):
        summed(made, day + start, day + end, grouping)


def test_summaries_page_both_ways(v1: Any, meter: Callable[..., Any], use: Callable[..., Any], customer: str) -> None:
    made, start = meter(), today(v1) - 5 * DAY
    for hour in range(7):
        use(hour + 1, start + hour * 3600)
    given = {
        "customer": customer, "start_time": start, "end_time": start + DAY, "value_grouping_window": "hour", "limit": 3,
    }  # fmt: skip
    service = v1.billing.meters.event_summaries
    assert [row.aggregated_value for row in service.list(made.id, given).auto_paging_iter()] == [7, 6, 5, 4, 3, 2, 1]
    first = service.list(made.id, given)
    second = service.list(made.id, given | {"starting_after": first.data[-1].id})
    assert ([row.aggregated_value for row in second.data], second.has_more) == ([4, 3, 2], True)
    back = service.list(made.id, given | {"ending_before": second.data[-1].id})
    assert ([row.aggregated_value for row in back.data], back.has_more) == ([5, 4, 3], True)
    with refused("starting_after", code="resource_missing"):
        service.list(made.id, given | {"starting_after": "mtrusg_none"})


def test_summaries_of_an_unknown_customer_or_meter_are_refused(
    v1: Any, meter: Callable[..., Any], customer: str
) -> None:
    made, start = meter(), today(v1)
    given = {"customer": "cus_none", "start_time": start, "end_time": start + DAY}
    with refused("customer", code="resource_missing"):
        v1.billing.meters.event_summaries.list(made.id, given)
    with refused(status=404, code="resource_missing"):
        v1.billing.meters.event_summaries.list("mtr_none", given | {"customer": customer})
