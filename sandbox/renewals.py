"""What time does to subscriptions: renewals, trials and discounts that end, waiting that is over, notices."""

from sandbox import invoice_preview, invoices, objects, options, schedules, subscriptions
from sandbox.events import emit
from sandbox.store import Obj, Store, subscription_of


def renew(store: Store, ref: str) -> None:
    """A period ends: bill what it used and the next one's licences; the next begins, unless this was the last."""
    sub, now = store.get("subscription", ref), store.now
    if sub["status"] in subscriptions.ENDED or sub["status"] == "paused":
        return
    store.world.use(store, sub["customer"], now)
    is_trial_over = sub["status"] == "trialing" and sub["trial_end"] <= now
    if is_trial_over and not _goes_on(store, sub):
        return
    was, before = dict(sub), sub["items"]["data"]
    is_last = sub["cancel_at"] is not None and sub["cancel_at"] <= now
    over = [item for item in before if is_last or item["current_period_end"] <= now]
    used = {item["id"]: (item["current_period_start"], now) for item in over if subscriptions.is_metered(item)}
    phase = None if is_last else schedules.take_up(store, sub)
    after, fields = phase or (before, {})
    sub |= ({"status": "active"} if is_trial_over else {}) | fields
    if not is_last:
        running = {item["id"] for item in before} - {item["id"] for item in over}
        begun = iter(subscriptions.opened(sub, [item for item in after if item["id"] not in running], now))
        after = [item if item["id"] in running else next(begun) for item in after]
    ids = {item["id"] for item in after}
    gone = [item for item in before if item["id"] not in ids]  # by a phase: the draft bills what they used
    sub["items"] = subscriptions.listed(sub, after + gone)
    ahead = {} if is_last else subscriptions.licences_ahead(store, sub)
    subscriptions.bill(store, sub, used, ahead, "subscription_cycle")
    if is_last:
        subscriptions.end(store, sub, sub["cancellation_details"]["reason"] or "cancellation_requested")
        return
    if gone:
        sub["items"] = subscriptions.listed(sub, after)
    objects.tell(store, sub, was)
    subscriptions.plan(store, sub)
    if phase:
        store.world.changed(store, sub, before)


def _goes_on(store: Store, sub: Obj) -> bool:
    """Whether a subscription goes on after its trial; without a payment method its settings may pause or end it."""
    behavior = sub["trial_settings"]["end_behavior"].get("missing_payment_method", "create_invoice")
    if behavior == "create_invoice" or has_payment_method(store, sub):
        return True
    if behavior == "pause":
        subscriptions.hold(store, sub, "trial_end_without_payment_method")
    else:
        subscriptions.end(store, sub, None)
    return False


def has_payment_method(store: Store, sub: Obj) -> bool:
    """Whether the subscription or its customer has something to pay with."""
    customer = store.get("customer", sub["customer"])
    settings = customer["invoice_settings"]["default_payment_method"]
    return bool(sub["default_payment_method"] or sub["default_source"] or settings or customer["default_source"])


def discount_end(store: Store, ref: str) -> None:
    """A repeating coupon has run its months. This comes before a renewal at the same second: it was planned before."""
    sub = store.find("subscription", store.get("discount", ref)["subscription"] or "")
    if sub is not None and sub["status"] not in subscriptions.ENDED:
        subscriptions.drop_discounts(store, sub, [ref])


def trial_will_end(store: Store, ref: str) -> None:
    """Three days before a trial ends."""
    if (sub := store.get("subscription", ref))["status"] == "trialing":
        emit(store, "customer.subscription.trial_will_end", sub)


def upcoming(store: Store, ref: str) -> None:
    """Some days before a renewal: what its invoice will hold, as it stands."""
    if store.account_now >= store.events_from:
        sub = store.get("subscription", ref)
        store.world.use(store, sub["customer"], store.now)  # as it stands now, however far time will be moved on
        if found := invoice_preview.upcoming(store, sub):
            emit(store, "invoice.upcoming", found)


def payment_expire(store: Store, ref: str) -> None:
    """A first invoice was not paid in the time that its subscription waits for it."""
    sub = store.get("subscription", ref)
    invoice = store.find("invoice", sub["latest_invoice"] or "")
    if invoice is None or invoice["created"] + options.INCOMPLETE_SECONDS > store.now:
        return  # the task was for an earlier one
    if sub["status"] == "incomplete":
        subscriptions.end(store, sub, None, "incomplete_expired")
        if invoice["status"] == "open":
            invoices.void(store, invoice)


def update_expire(store: Store, ref: str) -> None:
    """The invoice of a pending update was not paid in time: the update is dropped."""
    invoice = store.get("invoice", ref)
    sub = store.get("subscription", subscription_of(invoice) or "")
    if sub["pending_update"] and sub["pending_update"]["expires_at"] <= store.now:
        objects.update(store, sub, pending_update=None)
        emit(store, "customer.subscription.pending_update_expired", sub)
    if invoice["status"] == "open":
        invoices.void(store, invoice)


def collection_resume(store: Store, ref: str) -> None:
    """The day a pause of collection was to last to."""
    if (sub := store.get("subscription", ref))["status"] not in subscriptions.ENDED:
        subscriptions.save(store, sub, pause_collection=None)


TASKS = {task.__name__: task
         for task in (renew, discount_end, trial_will_end, upcoming, payment_expire, update_expire,
                      collection_resume)}  # fmt: skip
