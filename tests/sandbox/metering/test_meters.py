"""Meters and their events, driven by the official SDK."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.metering.days import DAY, today
from tests.sandbox.refusal import refused


def test_an_event_name_has_one_meter(v1: Any, meter: Callable[..., Any]) -> None:
    made = meter()
    assert made.customer_mapping.to_dict() == {"event_payload_key": "stripe_customer_id", "type": "by_id"}
    assert (made.value_settings.event_payload_key, made.status, made.updated) == ("value", "active", made.created)
    with refused("event_name"):
        meter()
    v1.billing.meters.deactivate(made.id)
    with refused("event_name"):
        meter()


def test_a_meter_is_switched_off_and_on(v1: Any, meter: Callable[..., Any], use: Callable[..., Any]) -> None:
    made = meter()
    off = v1.billing.meters.deactivate(made.id)
    assert (off.status, off.status_transitions.deactivated_at) == ("inactive", made.created)
    with refused(says="inactive"):
        v1.billing.meters.deactivate(made.id)
    with refused("event_name", says="No active meter found with this event name."):
        use(1)
    on = v1.billing.meters.reactivate(made.id)
    assert (on.status, on.status_transitions.deactivated_at) == ("active", None)
    use(1)
    with refused(says="active"):
        v1.billing.meters.reactivate(made.id)
    types = [event.type for event in v1.events.list({"type": "billing.meter.*", "limit": 3}).data]
    assert types == ["billing.meter.reactivated", "billing.meter.deactivated", "billing.meter.created"]


def test_only_the_display_name_of_a_meter_changes(v1: Any, meter: Callable[..., Any]) -> None:
    made = meter()
    assert v1.billing.meters.update(made.id, {"display_name": "New"}).display_name == "New"
    with refused("event_name", code="parameter_unknown"):
        v1.billing.meters.update(made.id, {"event_name": "other"})


# --- events


def test_an_event_is_answered_as_it_was_recorded(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], customer: str, name: str
) -> None:
    meter()
    event = use("1.5", identifier="answered")
    assert event.to_dict() == {
        "object": "billing.meter_event",
        "created": event.created,
        "event_name": name,
        "identifier": "answered",
        "livemode": False,
        "payload": {"stripe_customer_id": customer, "value": "1.5"},
        "timestamp": event.created,
    }
    assert use(1).identifier


def test_a_meter_reads_the_payload_keys_it_was_told_to(
    v1: Any, meter: Callable[..., Any], customer: str, name: str
) -> None:
    mapping = {"type": "by_id", "event_payload_key": "who"}
    made = meter(customer_mapping=mapping, value_settings={"event_payload_key": "tokens"})
    with refused("payload[who]"):
        v1.billing.meter_events.create({"event_name": name, "payload": {"stripe_customer_id": customer, "tokens": "1"}})
    with refused("payload[tokens]"):
        v1.billing.meter_events.create({"event_name": name, "payload": {"who": customer, "value": "1"}})
    v1.billing.meter_events.create({"event_name": name, "payload": {"who": customer, "tokens": "5"}})
    start = today(v1)
    given = {"customer": customer, "start_time": start, "end_time": start + DAY}
    assert v1.billing.meters.event_summaries.list(made.id, given).data[0].aggregated_value == 5


@pytest.mark.parametrize("value", ["", "many", "1e3", "0.0000001", "1234567890123", "NaN", "1,5"])
def test_a_value_that_cannot_be_kept_exactly_is_refused(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], value: str
) -> None:
    meter()
    with refused("payload[value]"):
        use(value)


def test_an_unknown_customer_or_event_is_refused(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], name: str
) -> None:
    with refused("event_name", says="No active meter found with this event name."):
        use(1)
    meter()
    gone = v1.customers.create({})
    v1.customers.delete(gone.id)
    for wrong in ("cus_none", gone.id):
        with refused("payload[stripe_customer_id]", code="resource_missing"):
            use(1, payload={"stripe_customer_id": wrong, "value": "1"})


def test_an_event_may_be_35_days_old_and_5_minutes_early(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any]
) -> None:
    meter()
    now = use(1).created
    use(1, now - 35 * DAY)
    use(1, now + 300)
    with refused("timestamp", code="timestamp_too_far_in_past"):
        use(1, now - 35 * DAY - 1)
    with refused("timestamp", code="timestamp_in_future"):
        use(1, now + 301)


def test_an_identifier_is_refused_for_a_day(
    v1: Any, account: Sandbox, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any]
) -> None:
    made = meter()
    now = use(3, identifier="same").created
    with refused("identifier", says="An event already exists with identifier same."):
        use(4, identifier="same")
    with refused("identifier"):
        use(4, identifier="x" * 101)
    account.advance(days=1)
    use(4, identifier="same")
    start = now - now % DAY
    assert summed(made, start, start + 2 * DAY) == [(start, 7.0)]


def test_a_canceled_event_no_longer_counts_and_its_identifier_stays_used(
    v1: Any, meter: Callable[..., Any], use: Callable[..., Any], summed: Callable[..., Any], name: str
) -> None:
    made, start = meter(), today(v1)
    use(5)
    use(7, identifier="wrong")
    cancel = {"event_name": name, "type": "cancel", "cancel": {"identifier": "wrong"}}
    answer = v1.billing.meter_event_adjustments.create(cancel).to_dict()
    assert answer == {"object": "billing.meter_event_adjustment", "livemode": False, "status": "complete"} | cancel
    assert summed(made, start, start + DAY) == [(start, 5.0)]
    with refused("identifier"):
        use(1, identifier="wrong")
    for nothing in ("wrong", "never"):
        with refused("cancel[identifier]", code="resource_missing"):
            v1.billing.meter_event_adjustments.create(cancel | {"cancel": {"identifier": nothing}})
    with refused("cancel", code="parameter_missing"):
        v1.billing.meter_event_adjustments.create({"event_name": name, "type": "cancel"})


def test_an_event_can_be_canceled_for_a_day(
    v1: Any, account: Sandbox, meter: Callable[..., Any], use: Callable[..., Any], name: str
) -> None:
    meter()
    use(7, identifier="old")
    account.advance(seconds=DAY + 1)
    with refused("cancel[identifier]", says="24 hours"):
        v1.billing.meter_event_adjustments.create(
            {"event_name": name, "type": "cancel", "cancel": {"identifier": "old"}}
        )
