"""An invoice's life: drafted, finalised, and what ends it other than payment (payments.py)."""

from itertools import groupby
from typing import Any

from sandbox import credit_grants, discounts, invoice_lines, objects, payments
from sandbox.clock import DAY, period_at
from sandbox.events import emit
from sandbox.options import GRACE_SECONDS
from sandbox.store import Obj, Store
from sandbox.waterfall import settle

Period = tuple[int, int]
Periods = dict[str, Period]  # item id → [start, end)
SETTINGS = ("custom_fields", "description", "footer")  # of a subscription for its invoices
PERSONAL = ("address", "email", "name", "phone", "shipping", "tax_exempt")  # of the customer, kept on the invoice
HOSTED = "https://invoice.sandbox.invalid/i"  # pages that a real account would have


def draft(store: Store, sub: Obj, reason: str, *, used: Periods | None = None, ahead: Periods | None = None) -> Obj:
    """A stored draft for a subscription, with the invoice items that wait for it.

    used: item id → its period that has ended, whose usage is billed; ahead: item id → the period whose licences are
    (items of the other kind in either are left out). The draft at a period's end waits GRACE_SECONDS for late usage,
    then finalises itself; others are the caller's to finalise.
    """
    used, ahead, customer = used or {}, ahead or {}, store.get("customer", sub["customer"])
    ended = list(used.values())
    if ahead and not ended and reason == "subscription_cycle":
        every = next(item["price"]["recurring"] for item in sub["items"]["data"] if item["id"] in ahead)
        ended = [period_at(sub["billing_cycle_anchor"], every["interval"], every["interval_count"], store.now - 1)]
    copied = {name: sub[name] for name in ("collection_method", "currency", "days_until_due", "default_payment_method")}
    copied |= {name: value for name, value in sub["invoice_settings"].items() if value and name in SETTINGS}
    if ended:
        copied |= {"period_end": max(end for _, end in ended), "period_start": min(start for start, _ in ended)}
    invoice = start(store, customer, sub, billing_reason=reason, **copied)
    invoice["default_tax_rates"] = list(sub["default_tax_rates"])
    invoice["discounts"] = discounts.running(store, sub["discounts"], store.now)
    rows = pull_in(store, invoice, sub["id"])
    if used:
        store.world.use(store, customer["id"], max(end for _, end in used.values()))
    for item in sub["items"]["data"]:
        period = (used if invoice_lines.is_metered(item) else ahead).get(item["id"])
        if period is not None:
            rows += invoice_lines.item_lines(store, invoice, sub, item, period)
    set_lines(store, invoice, rows)
    for owner in (sub, *sub["items"]["data"]) if rows else ():  # discounts for one invoice leave with it
        for one in [one for one in owner["discounts"] if discounts.coupon_of(store, one)["duration"] == "once"]:
            owner["discounts"] = [other for other in owner["discounts"] if other != one]
            discounts.end(store, one)
            store.put(sub)
    if sub["status"] == "unpaid" or pause_of(sub) == "keep_as_draft":
        invoice["auto_advance"] = False
    elif reason == "subscription_cycle":
        invoice["automatically_finalizes_at"] = store.now + GRACE_SECONDS
        store.schedule(store.now + GRACE_SECONDS, "invoice_finalize", invoice["id"])
    emit(store, "invoice.created", store.put(invoice))
    return invoice


def pause_of(sub: Obj | None) -> str | None:
    """What `pause_collection` makes of invoices."""
    return sub["pause_collection"]["behavior"] if sub and sub["pause_collection"] else None


def start(
    store: Store, customer: Obj, sub: Obj | None = None, *, days_until_due: int | None = None, **fields: Any
) -> Obj:
    """An empty draft for a customer (and its subscription); not stored yet, and no event."""
    settings, now = customer["invoice_settings"], store.now
    invoice: Obj = {"id": store.new_id("in_")} | objects.shape("invoice", created=now, customer=customer["id"])
    invoice.update(
        {f"customer_{name}": customer[name] for name in PERSONAL}, custom_fields=settings.get("custom_fields"),
        footer=settings.get("footer"), period_end=now, period_start=now, starting_balance=customer["balance"],
        test_clock=customer["test_clock"],
    )  # fmt: skip
    if sub is not None:
        details = {"metadata": dict(sub["metadata"]), "subscription": sub["id"]}
        invoice["parent"] = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    invoice |= fields
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        invoice["due_date"] = store.now + (30 if days_until_due is None else days_until_due) * DAY
    return invoice


def pull_in(store: Store, invoice: Obj, subscription: str | None) -> list[Obj]:
    """Lines of the customer's waiting invoice items: those of the subscription, and those of none."""
    rows = []
    for entry in store.rows("invoiceitem", customer=invoice["customer"]):
        owner = ((entry["parent"] or {}).get("subscription_details") or {}).get("subscription")
        if entry["invoice"] is None and owner in (None, subscription) and entry["currency"] == invoice["currency"]:
            _put(store, entry, invoice=invoice["id"])
            rows.append(invoice_lines.pending_line(store, invoice, entry))
    return rows


def set_lines(store: Store, invoice: Obj, rows: list[Obj]) -> Obj:
    """Give a draft these lines, work out its sums and what would be due, and store it."""
    if invoice["customer_tax_exempt"] == "none":
        invoice_lines.set_rates(rows, invoice_lines.ids(invoice["default_tax_rates"]))
    else:
        for row in rows:
            row["taxes"] = []
    url = f"/v1/invoices/{invoice['id']}/lines"
    invoice["lines"] = {"object": "list", "data": rows, "has_more": False, "url": url}
    invoice_lines.total_up(store, invoice)
    due = settle(invoice["total"], store.get("customer", invoice["customer"])["balance"], invoice["currency"]).due
    return _put(store, invoice, amount_due=due, amount_remaining=due)


def _put(store: Store, obj: Obj, **changes: Any) -> Obj:
    obj.update(changes)
    return store.put(obj)


def refresh(store: Store, invoice: Obj) -> None:
    """Count the usage of a draft's metered lines again: late usage changes them."""
    sub = payments.subscription_of(store, invoice)
    old, fresh = invoice["lines"]["data"], list[Obj]()
    for key, rows in groupby(old, _source):
        kept = list(rows)
        if sub is not None and key and store.get("price", key[1])["recurring"]["usage_type"] == "metered":
            store.world.use(store, invoice["customer"], key[2][1])
            kept = invoice_lines.usage_lines(store, invoice, sub, *key, kept)
        fresh += kept
    if [row["id"] for row in fresh] != [row["id"] for row in old]:
        set_lines(store, invoice, fresh)


def _source(row: Obj) -> tuple[str, str, Period] | None:
    """Item, price and period of a line that may be metered; None for what does not come from an item's period."""
    details = row["parent"]["subscription_item_details"]
    if not details or details["invoice_item"]:
        return None
    period = row["period"]
    return details["subscription_item"], row["pricing"]["price_details"]["price"], (period["start"], period["end"])


def finalize(store: Store, invoice: Obj, *, by_hand: bool = False) -> Obj:
    """Open a draft: count late usage, spend credits and the customer's balance, number it, ask for payment.

    A draft that its subscription's `pause_collection` keeps as one stays one, unless `by_hand`.
    """
    held = pause_of(payments.subscription_of(store, invoice)) == "keep_as_draft" and not by_hand
    if invoice["status"] != "draft" or held:
        return invoice
    refresh(store, invoice)
    _spend_credits(store, invoice)
    customer = store.get("customer", invoice["customer"])
    outcome = settle(invoice["total"], customer["balance"], invoice["currency"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    store.put(customer)
    invoice["status_transitions"]["finalized_at"] = store.now
    _put(store, invoice, amount_due=outcome.due, amount_remaining=outcome.due, automatically_finalizes_at=None,
         effective_at=invoice["effective_at"] or store.now, ending_balance=outcome.ending_balance,
         hosted_invoice_url=f"{HOSTED}/{invoice['id']}", invoice_pdf=f"{HOSTED}/{invoice['id']}/pdf",
         number=invoice["number"] or number, starting_balance=customer["balance"], status="open")  # fmt: skip
    emit(store, "invoice.finalized", invoice)
    for kind, amount in outcome.moves:
        payments.move_balance(store, customer, amount, kind, invoice=invoice["id"])
    payments.ask(store, invoice)
    if invoice["due_date"] is not None:
        store.schedule(invoice["due_date"], "invoice_overdue", invoice["id"])
    return invoice


def _spend_credits(store: Store, invoice: Obj) -> None:
    grants = credit_grants.usable(store, invoice["customer"], invoice["currency"], store.now)
    lines = invoice_lines.total_up(store, invoice, grants) if grants else []
    for row, line in zip(invoice["lines"]["data"], lines, strict=False):
        for grant, amount in line.credits:
            made = credit_grants.consume(store, grant, amount, invoice["id"], row["id"])
            part = {"amount": amount, "credit_balance_transaction": made["id"], "type": "credit_balance_transaction"}
            row["pretax_credit_amounts"].append(part)
    if lines:
        invoice_lines.sum_up(invoice)


def end(store: Store, invoice: Obj, status: str, reason: str | None = None) -> Obj:
    """Give an open invoice up: void (credits and balance go back) or uncollectible (it can still be paid or voided).

    reason: why uncollectible, see stripe.md 2.2, `status_details`.
    """
    name = {"void": "voided", "uncollectible": "marked_uncollectible"}[status]
    invoice["status_transitions"][f"{name}_at"] = store.now
    _put(store, invoice, status=status, auto_advance=False, next_payment_attempt=None,
         status_details={"uncollectible": {"reason": reason}} if reason else None)  # fmt: skip
    emit(store, f"invoice.{name}", invoice)
    if status == "void":
        payments.withdraw(store, invoice)
        credit_grants.give_back(store, invoice)
        if applied := invoice["ending_balance"] - invoice["starting_balance"]:
            customer = store.get("customer", invoice["customer"])
            payments.move_balance(store, customer, -applied, "unapplied_from_invoice", invoice=invoice["id"])
    return invoice


def void(store: Store, invoice: Obj) -> Obj:
    """Make an open invoice never have been owed."""
    return end(store, invoice, "void")


def stop_collecting(store: Store, sub: Obj) -> None:
    """When a subscription ends, its open invoices are no longer charged by themselves."""
    for invoice in store.rows("invoice", subscription=sub["id"], status="open"):
        objects.update(store, invoice, auto_advance=False, next_payment_attempt=None)


def _after_grace(store: Store, ref: str) -> None:
    invoice = store.find("invoice", ref)
    if invoice is not None and invoice["status"] == "draft" and invoice["auto_advance"]:
        payments.collect(store, finalize(store, invoice))


def _overdue(store: Store, ref: str) -> None:
    """A sent invoice was not paid in time."""
    invoice = store.get("invoice", ref)
    if invoice["status"] == "open":
        emit(store, "invoice.overdue", invoice)
        payments.fall_behind(store, invoice)


TASKS = {"invoice_finalize": _after_grace, "invoice_overdue": _overdue}
