"""What Stripe says a change would come to."""

from actions.errors import StripeUnusable
from actions.executors.base import Facts
from actions.port import NoAnswer, StripeReader

PRORATIONS = {
    "none": "none: the new price from the next invoice on",
    "create_prorations": "on the next invoice",
    "always_invoice": "invoiced and charged at once",
}


def preview(reader: StripeReader, params: Facts) -> Facts | None:
    """The invoice that `params` lead to; None when Stripe expects none. Raises StripeUnusable."""
    try:
        reply = reader.preview(params)
    except NoAnswer as error:
        raise StripeUnusable(f"Stripe did not answer the preview ({error}); run the same command again") from error
    if reply.status not in (200, 400, 404):
        raise StripeUnusable(f"Stripe answered {reply.status} to the preview; correct that, then run again")
    return reply.body if reply.status == 200 else None


def next_invoice(reader: StripeReader, subscription: str, changed: Facts) -> Facts | None:
    """A subscription's next invoice (totals in minor units), as things stand and with the change, and what of it is
    proration, unless the preview has more lines than Stripe shows at once.
    """
    before, after = (preview(reader, {"subscription": subscription} | more) for more in ({}, changed))
    if before is None or after is None:
        return None
    rows = after["lines"]["data"]
    prorations = [row["amount"] for row in rows if _parent(row).get("proration")]
    totals = {"total_before": before["total"], "total_after": after["total"], "currency": after["currency"]}
    return totals if after["lines"].get("has_more") else totals | {"proration": sum(prorations)}


def _parent(row: Facts) -> Facts:
    parent: Facts = (row.get("parent") or {}).get("subscription_item_details") or {}
    return parent
