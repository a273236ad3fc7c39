"""Billing alerts (stripe.md 4.11): told once per customer when usage since the alert was made passes its threshold."""

from sandbox import engine, objects
from sandbox.call import Call, Handler
from sandbox.events import emit, plain
from sandbox.options import ALERTS_PER_METER_AND_CUSTOMER
from sandbox.refusals import refuse
from sandbox.simple import make, sets
from sandbox.store import Obj, Store

EVER = 2**40  # later than any event; one may lie five minutes ahead


def create(call: Call) -> Obj:
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


def check(store: Store, meter: Obj, customer: str) -> None:
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


def check_all(store: Store) -> None:
    """The clock has come to rest: look at everybody's usage that an active alert is about."""
    for meter in store.rows("billing.meter"):
        if active := [alert for alert in _on(store, meter["id"]) if alert["status"] == "active"]:
            since = min(alert["since"] for alert in active)
            users = "select distinct customer from usage where meter = ? and at >= ? order by customer"
            for (customer,) in store.db.execute(users, (meter["id"], since)).fetchall():
                check(store, meter, customer)


ROUTES: dict[str, Handler] = {
    "POST /v1/billing/alerts": create,
    "POST /v1/billing/alerts/{id}/activate": sets("billing.alert", status="active"),
    "POST /v1/billing/alerts/{id}/deactivate": sets("billing.alert", status="inactive"),
    "POST /v1/billing/alerts/{id}/archive": sets("billing.alert", status="archived"),
}
RESTS = (check_all,)
