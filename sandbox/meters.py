"""Billing meters: usage that clients send and take back, summaries and alerts (stripe.md 1.2, 4.11).

Events are checked at once, not partly later as at Stripe.
"""

import re
from decimal import Decimal

from sandbox import engine, objects, paging
from sandbox.call import Call, Handler, Page
from sandbox.clock import DAY
from sandbox.draw import identifier
from sandbox.events import emit, plain
from sandbox.options import ALERTS_PER_METER_AND_CUSTOMER, METER_EVENT_IDENTIFIER_SECONDS
from sandbox.refusals import refuse
from sandbox.simple import changes, make, sets
from sandbox.store import MICRO, WINDOWS, Obj, Store, aggregate

BACKDATING, AHEAD = 35 * DAY, 300  # how old an event may be, and how far ahead
EVER = 2**40  # later than any event; one may lie five minutes ahead
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
    since = {"deactivated_at": call.store.now if status == "inactive" else None}
    meter, now = call.target("billing.meter"), call.store.now
    return objects.become(call.store, meter, verb, status=status, status_transitions=since, updated=now)


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
        row = (store.series(meter["id"], customer), at, name, micro, max(store.now, (last or 0) + 1))
        store.db.execute("insert into usage_event values (?, ?, ?, ?, ?)", row)
        _trigger(store, meter, customer)
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
    store.db.execute("update usage_event set identifier = ? where identifier = ?", (f"\0{store.issued} {name}", name))


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
    canceled = store.series(f"canceled {meter['id']}", found[0])  # counts for no meter
    store.db.execute("update usage_event set series = ? where identifier = ?", (canceled, name))
    shown = {"cancel": {"identifier": name}, "event_name": meter["event_name"], "type": call.params["type"]}
    return objects.shape("billing.meter_event_adjustment", **shown)


def summaries(call: Call) -> Page:
    """Windows with usage of one customer, newest first: hours, UTC days, or the whole range."""
    store, given, meter = call.store, call.params, call.target("billing.meter")
    customer, start, end = given["customer"], given["start_time"], given["end_time"]
    grouping = given.get("value_grouping_window")
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
    shape = objects.shape("billing.meter_event_summary", meter=meter["id"])
    rows = []
    for place, micro in store.db.execute(sql, (meter["id"], customer, start, end)):
        times = {"start_time": start + place * span, "end_time": start + (place + 1) * span}
        rows.append({"id": f"{prefix}{times['start_time']:x}"} | shape | {"aggregated_value": micro / MICRO} | times)
    url = f"/v1/billing/meters/{meter['id']}/event_summaries"
    return paging.embedded(call, "billing.meter_event_summary", url, rows)


def create_alert(call: Call) -> Obj:
    """An alert on a meter, for one customer or for each. What was used before, by the customer's clock, is left out."""
    store, limits = call.store, call.params["usage_threshold"]
    customer = limits["filters"][0].get("customer") if limits.get("filters") else None
    alike = [alert for alert in _on(store, limits["meter"]) if _customer(alert) == customer]
    if len(alike) >= ALERTS_PER_METER_AND_CUSTOMER:
        raise refuse("many_alerts", "usage_threshold", most=ALERTS_PER_METER_AND_CUSTOMER)
    with engine.on_clock(store, engine.clock_of(store, {}, {"customer": customer})):
        alert = make(call, "billing.alert", since=store.now, triggered=[])
    alert["usage_threshold"].setdefault("filters", None)
    return alert


def _on(store: Store, meter: str) -> list[Obj]:
    """A meter's alerts that are not archived."""
    rows = store.rows("billing.alert")
    return [alert for alert in rows if alert["status"] != "archived" and alert["usage_threshold"]["meter"] == meter]


def _customer(alert: Obj) -> str | None:
    filters = alert["usage_threshold"].get("filters")
    return filters[0]["customer"] if filters else None


def _trigger(store: Store, meter: Obj, customer: str) -> None:
    """Trigger the meter's active alerts that the customer's usage has reached."""
    for alert in _on(store, meter["id"]):
        if alert["status"] != "active" or _customer(alert) not in (None, customer) or customer in alert["triggered"]:
            continue
        used = store.usage(meter, customer, alert["since"], EVER)
        if used >= alert["usage_threshold"]["gte"]:
            alert["triggered"].append(customer)
            store.put(alert)
            told = {"alert": plain(alert), "created": store.now, "customer": customer, "value": int(used)}
            emit(store, "billing.alert.triggered", objects.shape("billing.alert_triggered", **told))


def check_alerts(store: Store) -> None:
    """The clock has come to rest: look at everybody's usage that an active alert is about."""
    for meter in store.rows("billing.meter"):
        if active := [alert for alert in _on(store, meter["id"]) if alert["status"] == "active"]:
            since = min(alert["since"] for alert in active)
            users = "select distinct customer from usage where meter = ? and at >= ? order by customer"
            for (customer,) in store.db.execute(users, (meter["id"], since)).fetchall():
                _trigger(store, meter, customer)


ROUTES: dict[str, Handler] = {
    "POST /v1/billing/meters": create,
    "POST /v1/billing/meters/{id}": changes("billing.meter"),
    "POST /v1/billing/meters/{id}/deactivate": lambda call: switch(call, "inactive", "deactivated"),
    "POST /v1/billing/meters/{id}/reactivate": lambda call: switch(call, "active", "reactivated"),
    "GET /v1/billing/meters/{id}/event_summaries": summaries,
    "POST /v1/billing/meter_events": record,
    "POST /v1/billing/meter_event_adjustments": cancel,
    "POST /v1/billing/alerts": create_alert,
    "POST /v1/billing/alerts/{id}/activate": sets("billing.alert", status="active"),
    "POST /v1/billing/alerts/{id}/deactivate": sets("billing.alert", status="inactive"),
    "POST /v1/billing/alerts/{id}/archive": sets("billing.alert", status="archived"),
}
RESTS = (check_alerts,)
