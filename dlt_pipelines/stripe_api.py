"""What is read from Stripe: the pinned version and, per kind of object, its table, path and nested list."""

from dataclasses import dataclass, field
from typing import Any

# The version stripe 16.1.0 is built for; a test holds the two equal, so payloads keep one shape.
API_VERSION = "2026-10-28.endive"

PAGE = 100  # the most objects Stripe puts on a page
EVENT_DAYS = 30  # Stripe keeps events this long


@dataclass(frozen=True)
class Nested:
    """A list inside an object, of which Stripe embeds the first ten or so.

    path: where the whole list is read; `by` is the query parameter naming the parent, None when it is in the path.
    always: read the whole list even when the parent has not changed (usage needs every subscription item).
    """

    table: str
    field: str
    path: str
    by: str | None = None
    always: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of object, landed in the table of its name.

    deletable: an id that is landed and no longer listed is asked for by id, and becomes a tombstone when gone.
    """

    table: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    nested: Nested | None = None
    deletable: bool = False


# Products, prices, coupons and meters come with archived ones unless a status is asked for (stripe.md 2.1).
KINDS = (
    Kind("customers", "/v1/customers", deletable=True),
    Kind("products", "/v1/products", deletable=True),
    Kind("prices", "/v1/prices", {"expand": ["data.tiers"]}, deletable=True),
    Kind("coupons", "/v1/coupons", deletable=True),
    Kind("meters", "/v1/billing/meters"),
    Kind(
        "subscriptions",
        "/v1/subscriptions",
        {"status": "all", "expand": ["data.discounts"]},  # without status=all canceled ones hide
        Nested("subscription_items", "items", "/v1/subscription_items", by="subscription", always=True),
    ),
    Kind(
        "invoices",
        "/v1/invoices",
        nested=Nested("invoice_lines", "lines", "/v1/invoices/{id}/lines"),
        deletable=True,  # drafts can be deleted
    ),
    Kind("invoice_payments", "/v1/invoice_payments"),
    Kind(
        "credit_notes",
        "/v1/credit_notes",
        nested=Nested("credit_note_lines", "lines", "/v1/credit_notes/{id}/lines"),
    ),
)
ACCOUNT = Kind("accounts", "/v1/account")
EVENTS = Kind("events", "/v1/events")
BALANCES = Nested("customer_balance_transactions", "", "/v1/customers/{id}/balance_transactions")
SUMMARIES = "/v1/billing/meters/{id}/event_summaries"


def object_params(kind: Kind) -> dict[str, Any]:
    """The parameters for one object by id that render it exactly as the list does, so that hashes compare."""
    expand = [name.removeprefix("data.") for name in kind.params.get("expand", [])]
    return {"expand": expand} if expand else {}
