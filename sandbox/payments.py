"""From draft to paid: finalising, the customer's balance, payment attempts, dunning and credit notes."""

from decimal import Decimal

from sandbox import draw, shapes
from sandbox.clock import DAY
from sandbox.events import emit, update
from sandbox.population import Person
from sandbox.rating import percent_of
from sandbox.store import Obj, Store
from sandbox.subscriptions import end, save

MINIMUM_CHARGE = 50  # minor units; smaller sums move to the customer's balance (stripe.md 6.2)
RETRY_DAYS = (3, 5, 7)  # after the first attempt
MONTH = 30 * DAY


def move_balance(store: Store, customer: Obj, amount: int, kind: str, **fields: object) -> Obj:
    """Add `amount` (negative: credit) to the customer's balance and record why. Returns the transaction."""
    transaction = shapes.balance_transaction(store, customer, amount, kind, **fields)
    store.put(transaction, parent=customer["id"])
    update(store, "customer", customer, balance=transaction["ending_balance"])
    return transaction


def finalize(store: Store, invoice: Obj) -> Obj:
    """Give a draft its number, apply the customer's balance, and open it. Paying is the next step."""
    customer = store.get("customer", invoice["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    store.put(customer)
    starting, total = customer["balance"], invoice["total"]
    due = max(starting + total, 0)
    is_small = 0 < due < MINIMUM_CHARGE
    due = 0 if is_small else due
    ending = starting + total - due
    invoice.update(
        number=number,
        status="open",
        starting_balance=starting,
        ending_balance=ending,
        amount_due=due,
        amount_remaining=due,
        effective_at=store.now,
        automatically_finalizes_at=None,
        status_transitions=invoice["status_transitions"] | {"finalized_at": store.now},
    )
    store.put(invoice)
    emit(store, "invoice.finalized", invoice)
    if ending != starting:
        kind = "invoice_too_small" if is_small else "applied_to_invoice"
        move_balance(store, customer, ending - starting, kind, invoice=invoice["id"])
    return invoice


def collect(store: Store, invoice: Obj, person: Person, chances: dict[str, float]) -> Obj:
    """One attempt to have an open invoice paid; a failure schedules a retry, the last one ends the subscription."""
    if invoice["amount_due"] == 0:
        return _settle(store, invoice)
    attempt = invoice["attempt_count"] + 1
    invoice.update(attempted=True, attempt_count=attempt)
    payment = store.put(shapes.invoice_payment(store, invoice)) if attempt == 1 else payment_of(store, invoice)
    if _pays(store, invoice, person, attempt, chances):
        payment.update(amount_paid=invoice["amount_due"], status="paid")
        payment["status_transitions"]["paid_at"] = store.now
        store.put(payment)
        emit(store, "invoice_payment.paid", payment)
        return _settle(store, invoice)
    return _fail(store, invoice, payment, attempt)


def payment_of(store: Store, invoice: Obj) -> Obj:
    """The invoice's (default) payment."""
    return store.of_invoice("invoice_payment", invoice["id"])[0]


def _pays(store: Store, invoice: Obj, person: Person, attempt: int, chances: dict[str, float]) -> bool:
    """Whether the attempt works: by chance, but never after a customer who leaves by not paying has stopped."""
    first = invoice["status_transitions"]["finalized_at"]
    stops = person.leaves_at if person.cause == "payment_failure" else None
    if stops is not None and first >= stops:
        return False
    key = (person.idx, "pays", first - first % DAY, attempt)
    if attempt == 1:
        trouble = 6 if stops is not None and first >= stops - 4 * MONTH else 1
        return draw.uniform(store.seed, *key) >= chances["first_payment_fails"] * trouble
    return attempt > len(RETRY_DAYS) or draw.uniform(store.seed, *key) < chances["retry_works"]


def _settle(store: Store, invoice: Obj) -> Obj:
    invoice.update(
        status="paid",
        attempted=True,
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        next_payment_attempt=None,
        status_transitions=invoice["status_transitions"] | {"paid_at": store.now},
    )
    store.put(invoice)
    emit(store, "invoice.paid", invoice)
    emit(store, "invoice.payment_succeeded", invoice)
    if invoice["attempt_count"] > 1:
        sub = store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
        update(store, "customer", store.get("customer", invoice["customer"]), delinquent=False)
        if sub["status"] == "past_due":
            save(store, sub, status="active")
    return invoice


def _fail(store: Store, invoice: Obj, payment: Obj, attempt: int) -> Obj:
    first = invoice["status_transitions"]["finalized_at"]
    is_last = attempt > len(RETRY_DAYS)
    invoice["next_payment_attempt"] = None if is_last else first + RETRY_DAYS[attempt - 1] * DAY
    store.put(invoice)
    emit(store, "invoice.payment_failed", invoice)
    sub = store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    if not is_last:
        emit(store, "invoice.updated", invoice, {"attempt_count": attempt - 1})
        store.schedule(invoice["next_payment_attempt"], "retry", invoice["id"])
        update(store, "customer", store.get("customer", invoice["customer"]), delinquent=True)
        if sub["status"] == "active":
            save(store, sub, status="past_due")
        return invoice
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = store.now
    store.put(payment)
    invoice.update(
        status="uncollectible",
        auto_advance=False,
        status_details={"uncollectible": {"reason": "max_payment_attempts"}},
        status_transitions=invoice["status_transitions"] | {"marked_uncollectible_at": store.now},
    )
    store.put(invoice)
    emit(store, "invoice.marked_uncollectible", invoice)
    if sub["status"] != "canceled":
        end(store, sub, "payment_failed")
    return invoice


def credit(store: Store, invoice: Obj, percent: int) -> Obj:
    """A credit note over `percent` of a paid invoice, given to the customer's balance."""
    customer = store.get("customer", invoice["customer"])
    amount = percent_of(invoice["amount_paid"], Decimal(percent))
    note = shapes.credit_note(store, invoice, amount)
    line = shapes.credit_note_line(store, note)
    note["lines"] = shapes.nested(f"/v1/credit_notes/{note['id']}/lines", [line])
    store.put(line, parent=note["id"], created=store.now)
    moved = move_balance(store, customer, -amount, "credit_note", credit_note=note["id"], invoice=invoice["id"])
    note["customer_balance_transaction"] = moved["id"]
    store.put(note)
    emit(store, "credit_note.created", note)
    update(store, "invoice", invoice, post_payment_credit_notes_amount=amount)
    return note
