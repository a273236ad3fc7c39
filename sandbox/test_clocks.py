"""Test clocks (stripe.md 5.5): a customer's own time, moved by the client."""

from sandbox import engine, objects
from sandbox.call import Call, Handler
from sandbox.clock import DAY, add_intervals
from sandbox.options import CLOCK_CUSTOMERS, CLOCK_DAYS, CLOCK_INTERVALS
from sandbox.refusals import refuse
from sandbox.simple import make
from sandbox.store import Obj, Store

KIND = "test_helpers.test_clock"


def create(call: Call) -> Obj:
    """A clock that stands at `frozen_time`; it goes by itself after 30 days of the account's time."""
    clock = make(call, KIND, deletes_after=call.store.now + CLOCK_DAYS * DAY)
    call.store.schedule(clock["deletes_after"], "test_clock_delete", clock["id"])
    return clock


def make_room(store: Store, clock: str) -> None:
    """Refuse a customer (ApiError 400) where the clock has as many as it may."""
    if CLOCK_CUSTOMERS is not None and len(_customers(store, clock)) >= CLOCK_CUSTOMERS:
        raise refuse("many_on_clock", "test_clock", most=CLOCK_CUSTOMERS)


def advance(call: Call) -> Obj:
    """Do all that is due until `frozen_time`. The answer still says `advancing`; whoever looks again finds it ready."""
    store, clock, until = call.store, call.target(KIND), call.params["frozen_time"]
    if not clock["frozen_time"] < until <= _furthest(store, clock):
        raise refuse("clock_step", "frozen_time", now=clock["frozen_time"], most=CLOCK_INTERVALS)
    details = {"advancing": {"target_frozen_time": until}}
    answer = objects.become(store, dict(clock), "advancing", status="advancing", status_details=details)
    asked, store.request = store.request, {"id": None, "idempotency_key": None}  # what follows is time's doing
    try:
        engine.run(store, until)
    finally:
        store.request = asked
    objects.become(store, clock, "ready", frozen_time=until)
    return answer


def _furthest(store: Store, clock: Obj) -> int:
    """Until when one call may advance."""
    running = [
        sub
        for customer in _customers(store, clock["id"])
        for sub in store.rows("subscription", customer=customer)
        if sub["status"] not in ("canceled", "incomplete_expired") and CLOCK_INTERVALS is not None
    ]
    prices = [item["price"]["recurring"] for sub in running for item in sub["items"]["data"]]
    counts = [(price["interval"], price["interval_count"] * (CLOCK_INTERVALS or 0)) for price in prices]
    return min((add_intervals(clock["frozen_time"], *count) for count in counts), default=2**40)


def _customers(store: Store, clock: str) -> list[str]:
    store.flush()
    sql = "select id from object where kind = 'customer' and clock = ? and hidden = 0"
    return [row[0] for row in store.db.execute(sql, (clock,))]


def delete(store: Store, identifier: str) -> Obj:
    """Remove a clock, its customers and all that is theirs."""
    clock, customers = store.get(KIND, identifier), _customers(store, identifier)
    sql = (
        "with mine as (select id from object where clock = ?1 or customer = ?2 or parent = ?2) select id from mine "
        "union select id from object where invoice in mine "
        "union select id from object where kind = 'balance_transaction' and json_extract(json, '$.source') in mine"
    )
    for customer in [*customers, ""]:
        for (theirs,) in store.db.execute(sql, (identifier, customer)).fetchall():
            store.remove(theirs)
        used = "delete from usage_event where series in (select id from series where customer = ?)"
        store.db.execute(used, (customer,))
    store.db.execute("delete from task where clock = ? or ref = ?1", (identifier,))
    return objects.delete(store, clock)


ROUTES: dict[str, Handler] = {
    "POST /v1/test_helpers/test_clocks": create,
    "POST /v1/test_helpers/test_clocks/{id}/advance": advance,
    "DELETE /v1/test_helpers/test_clocks/{id}": lambda call: delete(call.store, call.target(KIND)["id"]),
}
TASKS = {"test_clock_delete": delete}
