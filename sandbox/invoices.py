"""An invoice's life: drafted, finalised, and what ends it other than payment (payments.py)."""

from typing import Any

from sandbox import credit_grants, discounts, invoice_lines, objects, payments
from sandbox.clock import DAY, period_at
from sandbox.events import emit
from sandbox.options import GRACE_SECONDS
from sandbox.store import Obj, Store

Periods = dict[str, tuple[int, int]]  # item id → [start, end)
SETTINGS = ("custom_fields", "description", "footer")  # of a subscription for its invoices
PERSONAL = ("address", "email", "name", "phone", "shipping", "tax_exempt")  # of the customer, kept on the invoice
HOSTED = "https://invoice.sandbox.invalid/i"  # pages that a real account would have


# --- drafts


def draft(store: Store, sub: Obj, reason: str, *, used: Periods | None = None, ahead: Periods | None = None) -> Obj:
    """A stored draft for a subscription, with the invoice items that wait for it.

    used: item id → its period that has ended, whose usage is billed; ahead: item id → the period whose licences are
    (items of the other kind in either are left out). The draft at a period's end waits GRACE_SECONDS for late usage,
    then finalises itself; others are the caller's to finalise.
    """
    used, ahead, ended = used or {}, ahead or {}, list((used or {}).values())
    copied = {name: sub[name] for name in ("collection_method", "currency", "days_until_due", "default_payment_method")}
    copied |= {name: value for name, value in sub["invoice_settings"].items() if value and name in SETTINGS}
    if ahead and not ended and reason == "subscription_cycle":
        every = next(item["price"]["recurring"] for item in sub["items"]["data"] if item["id"] in ahead)
        ended = [period_at(sub["billing_cycle_anchor"], every["interval"], every["interval_count"], store.now - 1)]
    if ended:
        copied |= {"period_end": max(end for _, end in ended), "period_start": min(start for start, _ in ended)}
        store.world.use(store, sub["customer"], copied["period_end"])
    invoice = start(store, store.get("customer", sub["customer"]), sub, billing_reason=reason, **copied)
    invoice["default_tax_rates"] = list(sub["default_tax_rates"])
    invoice["discounts"] = discounts.running(store, sub["discounts"], store.now)
    rows = pull_in(store, invoice, sub["id"])
    for item in sub["items"]["data"]:
        period = (used if invoice_lines.is_metered(item) else ahead).get(item["id"])
        if period is not None:
            rows += invoice_lines.item_lines(store, invoice, sub, item, period)
    set_lines(store, invoice, rows)
    _use_up(store, sub, invoice)
    if sub["status"] == "unpaid" or pause_of(sub) == "keep_as_draft":
        invoice["auto_advance"] = False
    elif reason == "subscription_cycle":
        plan(store, invoice, store.now + GRACE_SECONDS)
    return objects.become(store, invoice, "created")


def _use_up(store: Store, sub: Obj, invoice: Obj) -> None:
    """Discounts for one invoice leave the subscription with the first from which they take something off."""
    taken = {part["discount"] for part in invoice["total_discount_amounts"] if part["amount"] > 0}
    for owner in (sub, *sub["items"]["data"]):
        for one in [one for one in owner["discounts"] if one in taken]:
            if discounts.coupon_of(store, one)["duration"] == "once":
                owner["discounts"] = [other for other in owner["discounts"] if other != one]
                discounts.end(store, one)
                store.put(sub)


def pause_of(sub: Obj | None) -> str | None:
    """What `pause_collection` makes of invoices."""
    return sub["pause_collection"]["behavior"] if sub and sub["pause_collection"] else None


def start(store: Store, customer: Obj, sub: Obj | None = None, **fields: Any) -> Obj:
    """An empty draft for a customer (and its subscription); not stored yet, and no event. See also `days_until_due`."""
    now, days = store.now, fields.pop("days_until_due", None)
    invoice: Obj = {"id": store.new_id("in_")} | objects.shape(
        "invoice", created=now, customer=customer["id"], footer=customer["invoice_settings"].get("footer"),
        custom_fields=customer["invoice_settings"].get("custom_fields"), period_end=now, period_start=now,
        starting_balance=customer["balance"], test_clock=customer["test_clock"],
        **{f"customer_{name}": customer[name] for name in PERSONAL},
    )  # fmt: skip
    if sub is not None:
        details = {"metadata": dict(sub["metadata"]), "subscription": sub["id"]}
        invoice["parent"] = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    invoice |= fields
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        invoice["due_date"] = now + (30 if days is None else days) * DAY
    return invoice


def pull_in(store: Store, invoice: Obj, subscription: str | None, *, by_hand: bool = False) -> list[Obj]:
    """Lines of the customer's waiting invoice items: those of the subscription, and those of none.

    by_hand: only those of the subscription; without one all that the customer has, whatever they are of.
    """
    rows = []
    for entry in store.rows("invoiceitem", customer=invoice["customer"]):
        owner = ((entry["parent"] or {}).get("subscription_details") or {}).get("subscription")
        is_asked = subscription in (None, owner) if by_hand else owner in (None, subscription)
        if entry["invoice"] is None and is_asked and entry["currency"] == invoice["currency"]:
            store.put(entry)["invoice"] = invoice["id"]
            rows.append(invoice_lines.pending_line(store, invoice, entry))
    return rows


def set_lines(store: Store, invoice: Obj, rows: list[Obj]) -> Obj:
    """Give a draft these lines, work out its sums and what would be due, and store it."""
    is_taxed = invoice["customer_tax_exempt"] == "none"
    for row in rows:
        row["taxes"] = (row["taxes"] or invoice_lines.untaxed(invoice["default_tax_rates"])) if is_taxed else []
    url = f"/v1/invoices/{invoice['id']}/lines"
    invoice["lines"] = {"object": "list", "data": rows, "has_more": False, "url": url}
    invoice_lines.total_up(store, invoice)
    due = payments.settlement(store.get("customer", invoice["customer"]), invoice).due
    invoice.update(amount_due=due, amount_remaining=due)
    return store.put(invoice)


def revise(store: Store, invoice: Obj, rows: list[Obj], **changes: Any) -> Obj:
    """Give a draft other lines and fields, and tell what that changed, be it only a line's description."""
    before = dict(invoice)
    invoice.update(changes)
    return objects.tell(store, set_lines(store, invoice, rows), before)


def plan(store: Store, invoice: Obj, at: int | None) -> None:
    """The moment of the invoice's next step by itself, finalising a draft or charging what is open; None: never."""
    store.unschedule("invoice_step", invoice["id"])
    if at is not None:
        store.schedule(at, "invoice_step", invoice["id"])
    is_charged = invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically"
    invoice["automatically_finalizes_at"] = at if invoice["status"] == "draft" else None
    invoice["next_payment_attempt"] = at if is_charged else None
    store.put(invoice)


# --- what becomes of them


def finalize(store: Store, invoice: Obj, *, by_hand: bool = False) -> Obj:
    """Open a draft: count late usage, spend credits and the customer's balance, number it, ask for payment.

    A draft that its subscription's `pause_collection` keeps as one stays one, unless `by_hand`.
    """
    sub = payments.subscription_of(store, invoice)
    if invoice["status"] != "draft" or (pause_of(sub) == "keep_as_draft" and not by_hand):
        return invoice
    rows = invoice_lines.recounted(store, invoice)
    if [row["id"] for row in rows] != [row["id"] for row in invoice["lines"]["data"]]:
        set_lines(store, invoice, rows)
    if grants := credit_grants.usable(store, invoice["customer"], invoice["currency"], store.now):
        invoice_lines.total_up(store, invoice, grants)
    if sub:
        _use_up(store, sub, invoice)
    customer, link = store.get("customer", invoice["customer"]), f"{HOSTED}/{invoice['id']}"
    outcome = payments.settlement(customer, invoice)
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    store.put(customer)["next_invoice_sequence"] += 1
    objects.become(
        store, invoice, "finalized", amount_due=outcome.due, amount_remaining=outcome.due, status="open",
        automatically_finalizes_at=None, effective_at=invoice["effective_at"] or store.now,
        ending_balance=outcome.ending_balance, hosted_invoice_url=link, invoice_pdf=f"{link}/pdf",
        number=invoice["number"] or number, starting_balance=customer["balance"],
    )  # fmt: skip
    for kind, amount in outcome.moves:
        payments.move_balance(store, customer, amount, kind, invoice=invoice["id"])
    payments.ask(store, invoice)
    if invoice["due_date"] is not None:
        store.schedule(invoice["due_date"], "invoice_overdue", invoice["id"])
    return invoice


def void(store: Store, invoice: Obj) -> Obj:
    """Make an open invoice never have been owed: credits and the customer's balance go back."""
    objects.become(store, invoice, "voided", status="void", auto_advance=False, next_payment_attempt=None,
                   status_details=None)  # fmt: skip
    payments.withdraw(store, invoice)
    credit_grants.give_back(store, invoice)
    if applied := invoice["ending_balance"] - invoice["starting_balance"]:
        customer = store.get("customer", invoice["customer"])
        payments.move_balance(store, customer, -applied, "unapplied_from_invoice", invoice=invoice["id"])
    return payments.recover(store, invoice)


def give_up(store: Store, invoice: Obj, reason: str) -> Obj:
    """Mark an open invoice uncollectible: it can still be paid or voided. reason: see stripe.md 2.2, status_details."""
    return objects.become(
        store, invoice, "marked_uncollectible", status="uncollectible", auto_advance=False, next_payment_attempt=None,
        status_details={"uncollectible": {"reason": reason}},
    )  # fmt: skip


def stop_collecting(store: Store, sub: Obj) -> None:
    """When a subscription ends, its open invoices are no longer charged by themselves."""
    for invoice in store.rows("invoice", subscription=sub["id"], status="open"):
        objects.update(store, invoice, auto_advance=False, next_payment_attempt=None)


def _step(store: Store, ref: str) -> None:
    invoice = store.find("invoice", ref)
    if invoice is not None and invoice["auto_advance"]:
        payments.collect(store, finalize(store, invoice))


def _overdue(store: Store, ref: str) -> None:
    """A sent invoice was not paid in time."""
    invoice = store.get("invoice", ref)
    if invoice["status"] == "open":
        emit(store, "invoice.overdue", invoice)
        payments.fall_behind(store, invoice)


TASKS = {"invoice_step": _step, "invoice_overdue": _overdue}
