"""A meter of each test's own, a customer, and ways to send usage and to read its summaries."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox


@pytest.fixture
def v1(account: Sandbox) -> Any:
    return account.stripe.v1


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An event name of the test's own."""
    return str(request.node.name)[:90]


@pytest.fixture
def meter(v1: Any, name: str) -> Callable[..., Any]:
    """Makes the test's meter."""

    def made(formula: str = "sum", **more: Any) -> Any:
        aggregation = {"formula": formula}
        return v1.billing.meters.create(
            {"display_name": "M", "event_name": name, "default_aggregation": aggregation} | more
        )

    return made


@pytest.fixture
def customer(v1: Any) -> str:
    return str(v1.customers.create({}).id)


@pytest.fixture
def use(v1: Any, name: str, customer: str) -> Callable[..., Any]:
    """Sends an event of the test's meter."""

    def sent(value: Any, at: int | None = None, **more: Any) -> Any:
        given = {"event_name": name, "payload": {"stripe_customer_id": customer, "value": str(value)}} | more
        return v1.billing.meter_events.create(given | ({} if at is None else {"timestamp": at}))

    return sent


@pytest.fixture
def summed(v1: Any, customer: str) -> Callable[..., list[tuple[int, float]]]:
    """The test's usage as (window start, value), newest first."""

    def windows(meter: Any, start: int, end: int, grouping: str | None = None, **more: Any) -> list[tuple[int, float]]:
        given = {"customer": customer, "start_time": start, "end_time": end} | more
        if grouping:
            given["value_grouping_window"] = grouping
        found = v1.billing.meters.event_summaries.list(meter.id, given).data
        return [(row.start_time, row.aggregated_value) for row in found]

    return windows
