"""What several executors read of Stripe, in the words of a precondition."""

from actions.errors import StripeUnusable
from actions.executors.base import Facts, has_room, require
from actions.port import NoAnswer, StripeReader
from actions.state import Request
from actions.text import safe_text

NOTE_LIMIT = 500  # characters: a note is a line or two on an invoice


def customer_facts(reader: StripeReader, customer: str) -> Facts:
    """One GET. Raises StripeUnusable. A customer that never paid has no currency yet."""
    found = reader.read(f"/v1/customers/{customer}")
    if found is None or found.get("deleted") or found.get("object") != "customer":  # an id with more behind it
        return {"is_deleted": True, "customer": customer}
    facts = {key: found.get(key) for key in ("currency", "livemode", "balance")}
    footer = (found.get("invoice_settings") or {}).get("footer") or None  # a cleared one is as good as none
    return facts | {"is_deleted": False, "customer": found["id"], "has_room_for_metadata": has_room(found),
                    "customer_currency": found.get("currency"), "footer": footer}  # fmt: skip


def invoice_facts(reader: StripeReader, invoice: str) -> Facts:
    """Two GETs, of the invoice and its customer; without a status when there is none. Raises StripeUnusable."""
    found = reader.read(f"/v1/invoices/{invoice}")
    if found is None or found.get("object") != "invoice":
        return {"invoice": invoice, "invoice_status": None}
    keys = ("customer", "currency", "livemode", "amount_remaining", "attempt_count", "next_payment_attempt",
            "collection_method")  # fmt: skip
    facts = customer_facts(reader, found["customer"]) | {key: found.get(key) for key in keys}
    return facts | {"invoice": found["id"], "invoice_status": found["status"], "has_room_for_metadata": has_room(found),
                    "footer": found.get("footer") or None}  # fmt: skip


def read_or_refused(reader: StripeReader, path: str, params: Facts) -> Facts | None:
    """A preview; None when Stripe says that this cannot be done (400). Raises StripeUnusable."""
    try:
        reply = reader.get(path, params)
    except NoAnswer as error:
        raise StripeUnusable(f"Stripe did not answer GET {path} ({error}); run the same command again") from error
    if reply.status not in (200, 400):
        raise StripeUnusable(f"Stripe answered {reply.status} to GET {path}; correct that, then run again")
    return reply.body if reply.status == 200 else None


def shown(expected: Facts, facts: Facts) -> Facts:
    """`facts` under the keys of `expected`; of a deleted customer only that it is gone: the rest says nothing."""
    if facts.get("is_deleted"):
        return expected | {"is_deleted": True}
    return {key: facts.get(key) for key in expected}


def is_ending(request: Request) -> bool:
    """Whether it ends an object for good. Stripe takes no metadata for that: the object's state is the proof."""
    return request.path.endswith(("/void", "/archive"))


def ended(reader: StripeReader, request: Request) -> Facts | None:
    """The object that `request` ends, as it is now."""
    return reader.read(request.path.rsplit("/", 1)[0])


def require_same(params: Facts, precondition: Facts, *keys: str) -> None:
    """Raises BadRecommendation unless both say the same, and say it, of each key."""
    for key in keys:
        value = precondition.get(key)
        require(value is not None and params.get(key) == value, f"the {key} of the precondition ({value})")


def require_amount(amount: object, amount_minor: int) -> None:
    """Raises BadRecommendation unless `amount` is the exposure that is approved: whole, and above 0."""
    require(type(amount) is int and amount > 0, f"a whole amount above 0, not {amount!r}")
    require(amount == amount_minor, f"an amount of {amount_minor}, the exposure that is approved, not {amount}")


def require_text(text: object, what: str) -> None:
    """Raises BadRecommendation for text that is empty, too long, repaints a screen, or has braces (slots)."""
    is_plain = isinstance(text, str) and text.strip() != "" and text == safe_text(text, NOTE_LIMIT)
    require(is_plain and not set(str(text)) & set("{}"), f"a {what} of 1 to {NOTE_LIMIT} plain characters, no braces")
