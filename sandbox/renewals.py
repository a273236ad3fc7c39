"""What time does to subscriptions: renewals, trials and discounts that end, waiting that is over, notices."""

from sandbox import discounts, invoice_preview, invoices, objects, options, prorations, schedules, subscriptions
from sandbox.events import emit
from sandbox.store import Obj, Store


def renew(store: Store, ref: str) -> None:
    """A period ends: bill what it used and the next one's licences; the next begins, unless this was the last."""
    sub, now = store.get("subscription", ref), store.now
    if sub["status"] in subscriptions.ENDED or sub["status"] == "paused":
        return
    store.world.use(store, sub["customer"], now)
    status = sub["status"]
    if status == "trialing" and sub["trial_end"] <= now:
        status = "active"
        behavior = sub["trial_settings"]["end_behavior"].get("missing_payment_method", "create_invoice")
        if behavior != "create_invoice" and not has_payment_method(store, sub):
            if behavior == "pause":
                subscriptions.hold(store, sub, "trial_end_without_payment_method")
            else:
                subscriptions.end(store, sub, None)
            return
    drop_discounts(store, sub)
    is_last = sub["cancel_at"] is not None and sub["cancel_at"] <= now
    was = {name: sub[name] for name in ("items", "status", "latest_invoice", "discounts")}
    before: list[Obj] = sub["items"]["data"]
    over = [item for item in before if is_last or item["current_period_end"] <= now]
    used = {item["id"]: (item["current_period_start"], now) for item in over if not subscriptions.is_licensed(item)}
    after, fields = (None if is_last else schedules.take_up(store, sub)) or (before, {})
    is_changed = after is not before
    was |= {name: sub[name] for name in fields}
    sub |= fields
    ahead: dict[str, tuple[int, int]] = {}
    if not is_last:
        ids = {item["id"] for item in over}
        after = [item | subscriptions.first_period(sub, item, now) if item["id"] in ids else item for item in after]
        for item in after:
            if item["current_period_start"] != now or not subscriptions.is_licensed(item):
                continue
            if subscriptions.is_whole(sub, item):
                ahead[item["id"]] = subscriptions.period_of(item)
            else:
                prorations.prorate(store, sub, None, item, at=now)
    ids = {item["id"] for item in after}
    gone = [item for item in before if item["id"] not in ids]  # by a phase: the draft bills what they used
    sub |= {"items": subscriptions.listed(sub, after + gone), "status": status}
    if used or ahead or prorations.pending(store, sub):
        sub["latest_invoice"] = invoices.draft(store, sub, "subscription_cycle", used=used, ahead=ahead)["id"]
    sub["items"] = subscriptions.listed(sub, after)
    if is_last:
        subscriptions.end(store, sub, sub["cancellation_details"]["reason"] or "cancellation_requested")
        return
    subscriptions.tell(store, sub, was)
    subscriptions.plan(store, sub)
    if is_changed:
        store.world.changed(store, sub, before)


def has_payment_method(store: Store, sub: Obj) -> bool:
    """Whether the subscription or its customer has something to pay with."""
    customer = store.get("customer", sub["customer"])
    settings = customer["invoice_settings"]["default_payment_method"]
    return bool(sub["default_payment_method"] or sub["default_source"] or settings or customer["default_source"])


def drop_discounts(store: Store, sub: Obj) -> None:
    """Take discounts that have ended off a subscription and its items, and tell."""
    held = [*sub["discounts"], *(one for item in sub["items"]["data"] for one in item["discounts"])]
    running = discounts.running(store, held, store.now) if held else held
    if len(running) == len(held) or sub["status"] in subscriptions.ENDED:
        return
    for one in set(held) - set(running):
        discounts.end(store, one)
    left = [[one for one in owner["discounts"] if one in running] for owner in (sub, *sub["items"]["data"])]
    items = [item | {"discounts": own} for item, own in zip(sub["items"]["data"], left[1:], strict=True)]
    subscriptions.save(store, sub, items=subscriptions.listed(sub, items), discounts=left[0])


def discount_end(store: Store, ref: str) -> None:
    """A repeating coupon has run its months."""
    if sub := store.find("subscription", store.get("discount", ref)["subscription"] or ""):
        drop_discounts(store, sub)


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
    """An invoice was not paid in the time that a first one, a pending update or a resumption waits for it."""
    sub = store.get("subscription", ref)
    invoice = store.find("invoice", sub["latest_invoice"] or "")
    if invoice is None or invoice["created"] + options.INCOMPLETE_SECONDS > store.now:
        return  # the task was for an earlier one
    if sub["status"] == "incomplete":
        subscriptions.end(store, sub, None, "incomplete_expired")
    elif sub["pending_update"]:
        objects.update(store, sub, pending_update=None)
        emit(store, "customer.subscription.pending_update_expired", sub)
    elif sub["status"] != "paused":
        return
    if invoice["status"] == "open":
        invoices.void(store, invoice)


def collection_resume(store: Store, ref: str) -> None:
    """The day a pause of collection was to last to."""
    if (sub := store.get("subscription", ref))["status"] not in subscriptions.ENDED:
        subscriptions.save(store, sub, pause_collection=None)


TASKS = {task.__name__: task
         for task in (renew, discount_end, trial_will_end, upcoming, payment_expire, collection_resume)}  # fmt: skip
