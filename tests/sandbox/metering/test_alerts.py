"""Billing alerts, driven by the official SDK."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.metering.days import DAY, today
from tests.sandbox.refusal import refused


def alert(v1: Any, meter: Any, gte: int, customer: str | None = None) -> Any:
    limits: Any = {"meter": meter.id, "gte": gte, "recurrence": "one_time"}
    if customer:
        limits["filters"] = [{"type": "customer", "customer": customer}]
    return v1.billing.alerts.create({"title": "t", "alert_type": "usage_threshold", "usage_threshold": limits})


def triggered(v1: Any, alert: Any) -> list[tuple[str, int]]:
    """(customer, value) of each time the alert was triggered."""
    found = v1.events.list({"type": "billing.alert.triggered", "limit": 100}).data
    told = [event.data.object for event in found]
    return [(one.customer, one.value) for one in told if one.alert.id == alert.id]


def test_an_alert_tells_once_for_each_customer_when_usage_reaches_it(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], customer: str
) -> None:
    made, other = meter(), v1.customers.create({}).id
    use(50, today(v1) - DAY)  # before the alert: does not count
    everybody, one = alert(v1, made, 10), alert(v1, made, 20, customer)
    use(9)
    assert triggered(v1, everybody) == []
    use("1.5")
    use(20)
    use(30, payload={"stripe_customer_id": other, "value": "30"})
    assert triggered(v1, everybody) == [(other, 30), (customer, 10)]
    assert triggered(v1, one) == [(customer, 30)]


def test_an_inactive_alert_is_silent_and_looks_again_when_it_is_active(
    v1: Any, account: Sandbox, meter: Callable[..., Any], use: Callable[..., Any], customer: str
) -> None:
    watch = alert(v1, meter(), 10)
    assert v1.billing.alerts.deactivate(watch.id).status == "inactive"
    with refused():
        v1.billing.alerts.deactivate(watch.id)
    use(15)
    assert triggered(v1, watch) == []
    assert v1.billing.alerts.activate(watch.id).status == "active"
    account.advance(hours=1)
    assert triggered(v1, watch) == [(customer, 15)]


def test_an_archived_alert_is_never_listed_again(v1: Any, meter: Callable[..., Any]) -> None:
    made = meter()
    watch, other = alert(v1, made, 10), alert(v1, made, 10)
    assert set(watch.to_dict()) == {"id", "object", "alert_type", "livemode", "status", "title", "usage_threshold"}
    assert v1.billing.alerts.archive(watch.id).status == "archived"
    assert [one.id for one in v1.billing.alerts.list({"meter": made.id}).data] == [other.id]
    with refused():
        v1.billing.alerts.activate(watch.id)


def test_a_meter_and_customer_have_at_most_25_alerts(v1: Any, meter: Callable[..., Any], customer: str) -> None:
    made = meter()
    alerts = [alert(v1, made, 10, customer) for _ in range(25)]
    alert(v1, made, 10)
    with refused("usage_threshold"):
        alert(v1, made, 10, customer)
    v1.billing.alerts.archive(alerts[0].id)
    alert(v1, made, 10, customer)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"gte": 0}, "usage_threshold[gte]"),
        ({"meter": "mtr_none"}, "usage_threshold[meter]"),
        ({"filters": [{"type": "customer", "customer": "cus_none"}]}, "usage_threshold[filters][0][customer]"),
        ({"filters": [{"type": "customer"}]}, "usage_threshold[filters][0][customer]"),
        ({"filters": [{"type": "customer"}, {"type": "customer"}]}, "usage_threshold[filters]"),
    ],
)
def test_an_alert_that_makes_no_sense_is_refused(
    v1: Any, meter: Callable[..., Any], wrong: dict[str, Any], param: str
) -> None:
    limits = {"meter": meter().id, "gte": 1, "recurrence": "one_time"} | wrong
    with refused(param):
        v1.billing.alerts.create({"title": "t", "alert_type": "usage_threshold", "usage_threshold": limits})
    with refused("title"):
        v1.billing.alerts.create({"title": "t" * 257, "alert_type": "usage_threshold", "usage_threshold": limits})


def test_usage_of_the_company_triggers_alerts_as_time_passes(sandbox: Sandbox) -> None:
    v1: Any = sandbox.stripe.v1
    limits = {"meter": v1.billing.meters.list().data[0].id, "gte": 1, "recurrence": "one_time"}
    v1.billing.alerts.create({"title": "t", "alert_type": "usage_threshold", "usage_threshold": limits})
    sandbox.advance(days=2)
    told = [
        event.data.object.customer for event in v1.events.list({"type": "billing.alert.triggered", "limit": 100}).data
    ]
    assert len(set(told)) == len(told) > 5
