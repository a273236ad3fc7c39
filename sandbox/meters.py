"""Billing meters, the usage that clients send to them and take back, and summaries of it (stripe.md 1.2).

Events are checked at once, not partly later as at Stripe.
"""

import re
from decimal import Decimal

from sandbox import alerts, engine, objects, paging
from sandbox.call import Call, Handler, Page
from sandbox.clock import DAY
from sandbox.draw import identifier
from sandbox.events import emit
from sandbox.metering import MICRO, WINDOWS, aggregate
from sandbox.options import METER_EVENT_IDENTIFIER_SECONDS
from sandbox.refusals import refuse
from sandbox.simple import changes, make
from sandbox.store import Obj, Store

BACKDATING, AHEAD = 35 * DAY, 300  # how old an event may be, and how far ahead
CANCELABLE = DAY  # after this an event that was received stays
VALUE = re.compile(r"-?(\d{1,12}(\.\d{0,6}0*)?|\.\d{1,6}0*)", re.ASCII)  # what is kept exactly, in millionths


def create(call: Call) -> Obj:
    """A meter; event names are unique, and a deactivated one keeps its own."""
    for meter in call.store.rows("billing.meter"):
        if meter["event_name"] == call.params["event_name"]:
            raise refuse("meter_name", "event_name", name=meter["event_name"], id=meter["id"])
    return make(call, "billing.meter")


def switch(call: Call, status: str, verb: str) -> Obj:
    """Refuse the meter's events from now on, or take them again."""
    meter = call.target("billing.meter")
    since = {"deactivated_at": call.store.now if status == "inactive" else None}
    objects.update(call.store, meter, emits=False, status=status, status_transitions=since)
    emit(call.store, f"billing.meter.{verb}", meter)
    return meter


def record(call: Call) -> Obj:
    """An event of an active meter's, at a moment of the customer's clock."""
    store, given, payload = call.store, call.params, call.params["payload"] or {}
    meter = _active(store, given["event_name"])
    key = meter["customer_mapping"]["event_payload_key"]
    customer = call.find("customer", _in(payload, key), f"payload[{key}]")["id"]
    micro = _micro(meter, payload)
    with engine.on_clock(store, engine.clock_of(store, {}, {"customer": customer})):
        at, name = given.get("timestamp", store.now), given.get("identifier") or store.new_id("", 32)
        if not store.now - BACKDATING <= at <= store.now + AHEAD:
            raise refuse("event_early" if at > store.now else "event_late", "timestamp", at=at)
        _claim(store, name)
        # of several events of one second the last to come is the latest, although the sandbox's time may stand still
        sql = "select max(received) from usage where meter = ? and customer = ? and at = ?"
        is_ordered = meter["event_time_window"] or meter["default_aggregation"]["formula"] == "last"
        last = store.db.execute(sql, (meter["id"], customer, at)).fetchone()[0] if is_ordered else None
        row = (meter["id"], customer, at, name, micro, max(store.now, (last or 0) + 1))
        sql = "insert into usage (meter, customer, at, identifier, value, received) values (?, ?, ?, ?, ?, ?)"
        store.db.execute(sql, row)
        alerts.check(store, meter, customer)
        shown = {"event_name": given["event_name"], "identifier": name, "payload": dict(payload), "timestamp": at}
        return objects.shape("billing.meter_event", created=store.now, **shown)


def _active(store: Store, name: str) -> Obj:
    for meter in store.rows("billing.meter", status="active"):
        if meter["event_name"] == name:
            return meter
    raise refuse("no_meter", "event_name", name=name)


def _in(payload: Obj, key: str) -> str:
    if not payload.get(key):
        raise refuse("no_payload", f"payload[{key}]", key=key)
    return str(payload[key])


def _micro(meter: Obj, payload: Obj) -> int:
    """The event's value in millionths; a meter that counts does not look at it."""
    if meter["default_aggregation"]["formula"] == "count":
        return MICRO
    key = meter["value_settings"]["event_payload_key"]
    text = _in(payload, key)
    if not VALUE.fullmatch(text):
        raise refuse("event_value", f"payload[{key}]", value=text[:60])
    return int(Decimal(text) * MICRO)


def _claim(store: Store, name: str) -> None:
    """An identifier is refused while it is remembered; then its old event gets a name that nobody can send."""
    found = store.db.execute("select received from usage where identifier = ?", (name,)).fetchone()
    if found and store.now - found[0] < METER_EVENT_IDENTIFIER_SECONDS:
        raise refuse("event_twice", "identifier", id=name)
    store.db.execute("update usage set identifier = ? where identifier = ?", (f"\0{store.issued} {name}", name))


def cancel(call: Call) -> Obj:
    """Take back one event within 24 hours of its receipt; its identifier stays used."""
    store, name = call.store, call.params["cancel"]["identifier"]
    meter, param = _active(store, call.params["event_name"]), "cancel[identifier]"
    sql = "select customer, received from usage where identifier = ? and meter = ?"
    found = store.db.execute(sql, (name, meter["id"])).fetchone()
    if found is None:
        raise refuse("no_event", param, id=name)
    with engine.on_clock(store, engine.clock_of(store, {}, {"customer": found[0]})):
        if store.now - found[1] > CANCELABLE:
            raise refuse("event_old", param, id=name)
    canceled = f"canceled {meter['id']}"  # counts for no meter
    store.db.execute("update usage set meter = ? where identifier = ?", (canceled, name))
    shown = {"cancel": {"identifier": name}, "event_name": meter["event_name"], "type": call.params["type"]}
    return objects.shape("billing.meter_event_adjustment", **shown)


def summaries(call: Call) -> Page:
    """Windows with usage of one customer, newest first: hours, UTC days, or the whole range."""
    store, given, meter = call.store, call.params, call.target("billing.meter")
    customer, start, end, grouping = (
        given["customer"], given["start_time"], given["end_time"], given.get("value_grouping_window"),
    )  # fmt: skip
    width = WINDOWS.get(grouping, 60)
    for name, value in (("start_time", start), ("end_time", end)):
        if value % width:
            raise refuse("unaligned", name, unit=f"UTC {grouping}" if grouping else "minute", value=value)
    if start >= end:
        raise refuse("period", "start_time")
    span = width if grouping else end - start
    window = f"(at - {start}) / {span}"
    source, value = aggregate(meter, window)
    sql = f"select {window} as place, {value} from {source} group by place order by place desc"  # noqa: S608 # numbers
    prefix = identifier("mtrusg_test_", 12, store.seed, meter["id"], customer, grouping)
    shown = {"object": "billing.meter_event_summary", "livemode": False, "meter": meter["id"]}
    rows = [
        {"id": f"{prefix}{at:x}", "aggregated_value": micro / MICRO, "start_time": at, "end_time": at + span} | shown
        for place, micro in store.db.execute(sql, (meter["id"], customer, start, end))
        for at in (start + place * span,)
    ]
    url = f"/v1/billing/meters/{meter['id']}/event_summaries"
    return paging.embedded(call, "billing.meter_event_summary", url, rows)


ROUTES: dict[str, Handler] = {
    "POST /v1/billing/meters": create,
    "POST /v1/billing/meters/{id}": changes("billing.meter"),
    "POST /v1/billing/meters/{id}/deactivate": lambda call: switch(call, "inactive", "deactivated"),
    "POST /v1/billing/meters/{id}/reactivate": lambda call: switch(call, "active", "reactivated"),
    "GET /v1/billing/meters/{id}/event_summaries": summaries,
    "POST /v1/billing/meter_events": record,
    "POST /v1/billing/meter_event_adjustments": cancel,
}
