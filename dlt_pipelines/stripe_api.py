"""What is read from Stripe: the pinned version and, per kind, its table, path, nested lists, how it changes."""

import dataclasses
from dataclasses import dataclass
from typing import Any

# The version stripe 16.1.0 is built for; a test holds the two equal, so payloads keep one shape.
API_VERSION = "2026-10-28.endive"

PAGE = 100  # the most objects Stripe puts on a page
EVENT_DAYS = 30  # Stripe keeps events this long


@dataclass(frozen=True)
class Nested:
    """A list that belongs to a parent object, landed in a table of its own.

    field: where its first ten or so entries are embedded in the parent; '' when they are not.
    path: where the whole list is read; `by` is the query parameter naming the parent, None when it is in the path.
    params: how it is asked for, so that an entry reads the same as where it is embedded.
    outlives: entries stay when their parent is deleted (they are bookings, not parts).
    told: an event says when the list has changed, so that a changed parent alone does not mean a changed list.
    """

    table: str
    field: str
    path: str
    by: str | None = None
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    outlives: bool = False
    told: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of object, landed in the table of its name.

    object: its name in Stripe's payloads, by which events tell of it. permission: what a restricted key needs.
    deletable: an id that is landed and no longer listed is asked for by id, and becomes a tombstone when gone.
    hides: its list leaves out some that exist (archived alerts): what is landed and not listed is asked for as well.
    hides_clocks: its list leaves out objects on a test clock, which are simulations; so they are not landed by id.
    is_dated: its list can be filtered by `created`, which its objects carry.
    silent: it can change without an event; the parameters of the list of those that still can (None: it cannot).
    silent_where: SQL over `payload` that finds the same among what landed.
    fresh: none of its objects has an event, so new ones are looked for by `created` whenever anything happened.
    """

    table: str
    path: str
    object: str
    permission: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    nested: tuple[Nested, ...] = ()
    deletable: bool = False
    hides: bool = False
    hides_clocks: bool = False
    is_dated: bool = True
    silent: dict[str, Any] | None = None
    silent_where: str = "true"
    fresh: bool = False


# Products, prices, coupons and meters come with archived ones unless a status is asked for (stripe.md 2.1).
# Permission names: stripe.md 5.4; those of credit grants and alerts are not documented.
KINDS = (
    Kind("products", "/v1/products", "product", "product_read", deletable=True),
    Kind(
        "prices",
        "/v1/prices",
        "price",
        "plan_read",
        {"expand": ["data.tiers", "data.currency_options"]},
        deletable=True,
    ),
    Kind(
        "coupons",
        "/v1/coupons",
        "coupon",
        "coupon_read",
        {"expand": ["data.applies_to"]},
        deletable=True,
        silent={},
        silent_where="json_extract_string(payload, '$.valid') = 'true'",  # it ends with `redeem_by`, without an event
    ),
    Kind("promotion_codes", "/v1/promotion_codes", "promotion_code", "promotion_code_read"),
    Kind("tax_rates", "/v1/tax_rates", "tax_rate", "tax_rate_read"),
    Kind("meters", "/v1/billing/meters", "billing.meter", "billing_meter_read", is_dated=False),
    Kind("alerts", "/v1/billing/alerts", "billing.alert", "billing_alert_read", hides=True, is_dated=False, silent={}),
    Kind(
        "customers",
        "/v1/customers",
        "customer",
        "customer_read",
        deletable=True,
        hides_clocks=True,
        nested=(
            Nested(
                "customer_balance_transactions", "", "/v1/customers/{id}/balance_transactions", outlives=True, told=True
            ),
        ),
    ),
    Kind(
        "subscriptions",
        "/v1/subscriptions",
        "subscription",
        "subscription_read",
        # without status=all canceled ones hide
        {"status": "all", "expand": ["data.discounts", "data.items.data.discounts"]},
        (
            Nested(
                "subscription_items",
                "items",
                "/v1/subscription_items",
                by="subscription",
                params={"expand": ["data.discounts"]},
            ),
        ),
        hides_clocks=True,
    ),
    Kind("subscription_schedules", "/v1/subscription_schedules", "subscription_schedule", "subscription_read"),
    Kind(
        "quotes",
        "/v1/quotes",
        "quote",
        "quote_read",
        nested=(
            Nested("quote_lines", "", "/v1/quotes/{id}/line_items"),
            Nested("quote_upfront_lines", "", "/v1/quotes/{id}/computed_upfront_line_items"),
        ),
        hides_clocks=True,
        is_dated=False,
        silent={"status": "draft"},  # edits of a draft have no event
        silent_where="json_extract_string(payload, '$.status') = 'draft'",
    ),
    Kind(
        "invoices",
        "/v1/invoices",
        "invoice",
        "invoice_read",
        {"expand": ["data.discounts", "data.payments"]},
        (
            Nested("invoice_lines", "lines", "/v1/invoices/{id}/lines"),
            Nested("invoice_payments", "payments", "/v1/invoice_payments", by="invoice"),
        ),
        deletable=True,  # drafts can be deleted
    ),
    Kind(
        "invoice_items",
        "/v1/invoiceitems",
        "invoiceitem",
        "invoice_read",
        deletable=True,
        is_dated=False,  # the filter is there, but the objects carry `date` in place of `created`
        silent={"pending": "true"},  # only making and deleting one has an event
        silent_where="json_extract_string(payload, '$.invoice') is null",
    ),
    Kind(
        "credit_notes",
        "/v1/credit_notes",
        "credit_note",
        "credit_note_read",
        nested=(Nested("credit_note_lines", "lines", "/v1/credit_notes/{id}/lines"),),
    ),
    Kind("payment_methods", "/v1/payment_methods", "payment_method", "payment_method_read", is_dated=False),
    Kind(
        "payment_intents",
        "/v1/payment_intents",
        "payment_intent",
        "payment_intent_read",
        silent={},
        silent_where="json_extract_string(payload, '$.status') not in ('succeeded', 'canceled')",
    ),
    Kind("charges", "/v1/charges", "charge", "charge_read"),
    Kind("refunds", "/v1/refunds", "refund", "charge_read"),
    Kind("disputes", "/v1/disputes", "dispute", "dispute_read"),
    Kind(
        "balance_transactions",
        "/v1/balance_transactions",
        "balance_transaction",
        "balance_read",
        silent={},
        silent_where="json_extract_string(payload, '$.status') = 'pending'",  # an available one is final
        fresh=True,
    ),
    Kind(
        "credit_grants",
        "/v1/billing/credit_grants",
        "billing.credit_grant",
        "billing_credit_grant_read",
        is_dated=False,
    ),
    Kind(
        "credit_balance_transactions",
        "/v1/billing/credit_balance_transactions",
        "billing.credit_balance_transaction",
        "billing_credit_grant_read",
        is_dated=False,
    ),
)
ACCOUNT = Kind("accounts", "/v1/account", "account", "account_read")
EVENTS = Kind("events", "/v1/events", "event", "event_read")
SUMMARIES = "/v1/billing/meters/{id}/event_summaries"
SUMMARIES_PERMISSION = "billing_meter_event_read"

# Lists of Stripe's that are not loaded, and why.
LEFT_OUT = {
    "/v1/plans": "each plan is a price of the same id",
    "/v1/billing/credit_balance_summary": "sums of credit_balance_transactions, without an id",
    "/v1/webhook_endpoints": "settings, not billing",
    "/v1/test_helpers/test_clocks": "test helpers; customers, subscriptions and quotes on one are left out",
}


def by_id_params(kind: Kind) -> dict[str, Any]:
    """The parameters for one object by id that render it exactly as the list does, so that hashes compare."""
    expand = [name.removeprefix("data.") for name in kind.params.get("expand", [])]
    return {"expand": expand} if expand else {}
