"""The GET routes: path → what it lists or retrieves."""

from collections.abc import Callable

import msgspec

from sandbox import forms
from sandbox.clock import EVENT_RETENTION
from sandbox.errors import ApiError, missing
from sandbox.expand import expand
from sandbox.forms import Params
from sandbox.paging import Listing, page
from sandbox.store import Store
from sandbox.summaries import summaries

Reader = Callable[[Store, dict[str, str], Params], bytes]  # store, path parameters, query → body
SUBSCRIPTION_STATUSES = {
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
}
EQUAL = {name: f"{name} = ?" for name in ("customer", "subscription", "invoice", "status")}
ACTIVE = {"active": "json_extract(json, '$.active') = (? = 'true')"}
BOOLEAN = {"active": {"true", "false"}}
PRICE_FILTERS = ACTIVE | {
    "currency": "json_extract(json, '$.currency') = ?",
    "product": "json_extract(json, '$.product') = ?",
    "type": "json_extract(json, '$.type') = ?",
    "lookup_keys": "json_extract(json, '$.lookup_key') in (?)",
}
INVOICE_FILTERS = {name: EQUAL[name] for name in ("customer", "subscription", "status")}
INVOICE_STATUSES = {"status": {"draft", "open", "paid", "uncollectible", "void"}}

LISTINGS = [
    Listing("customer", "/v1/customers", {"email": "json_extract(json, '$.email') = ?"}),
    Listing("product", "/v1/products", ACTIVE | {"ids": "id in (?)"}, BOOLEAN),
    Listing("price", "/v1/prices", PRICE_FILTERS, BOOLEAN),
    Listing("coupon", "/v1/coupons"),
    Listing("invoice", "/v1/invoices", INVOICE_FILTERS, INVOICE_STATUSES),
    Listing("invoice_payment", "/v1/invoice_payments", {name: EQUAL[name] for name in ("invoice", "status")}),
    Listing("credit_note", "/v1/credit_notes", {name: EQUAL[name] for name in ("customer", "invoice")}),
    Listing(
        "billing.meter",
        "/v1/billing/meters",
        {"status": EQUAL["status"]},
        {"status": {"active", "inactive"}},
        has_created=False,
    ),
]
RETRIEVED = {listing.url: listing.kind for listing in LISTINGS} | {
    "/v1/subscriptions": "subscription",
    "/v1/subscription_items": "subscription_item",
    "/v1/events": "event",
}
CHILDREN = [
    ("invoice", "/v1/invoices", "line_item", "lines", False),
    ("credit_note", "/v1/credit_notes", "credit_note_line_item", "lines", False),
    ("customer", "/v1/customers", "customer_balance_transaction", "balance_transactions", True),
]


def account(store: Store, _path: dict[str, str], params: Params) -> bytes:
    """The account that the key belongs to."""
    forms.only(params, {"expand"})
    return msgspec.json.encode(store.all("account")[0])


def subscriptions(store: Store, _path: dict[str, str], params: Params) -> bytes:
    """Canceled ones stay hidden unless a status is asked for."""
    status = forms.text(params["status"], "status") if "status" in params else None
    filters = {"customer": EQUAL["customer"], "price": "json like '%\"' || ? || '\"%'"}
    always = "status not in ('canceled', 'incomplete_expired')"
    if status == "all":
        always = ""
    elif status == "ended":
        always = "status in ('canceled', 'incomplete_expired')"
    elif status is not None:
        if status not in SUBSCRIPTION_STATUSES:
            raise ApiError(400, f"Invalid status: {status}", param="status")
        always = f"status = '{status}'"
    rest = {name: value for name, value in params.items() if name != "status"}
    return page(store, Listing("subscription", "/v1/subscriptions", filters, always=always), rest)


def subscription_items(store: Store, _path: dict[str, str], params: Params) -> bytes:
    """The items of the subscription that must be named."""
    sub = forms.text(forms.required(params, "subscription"), "subscription")
    if store.find("subscription", sub) is None:
        raise ApiError(400, f"No such subscription: '{sub}'", param="subscription", code="resource_missing")
    rest = {name: value for name, value in params.items() if name != "subscription"}
    return page(store, Listing("subscription_item", "/v1/subscription_items", has_created=False), rest, sub)


def events(store: Store, _path: dict[str, str], params: Params) -> bytes:
    """The last 30 days; `type` may hold wildcards, `types[]` up to 20 names."""
    if "type" in params and "types" in params:
        raise ApiError(400, "You may only specify one of these parameters: type, types.", param="types")
    types = params.get("types")
    if types is not None and (not isinstance(types, list) or len(types) > 20):
        raise ApiError(400, "types is an array of at most 20 event types", param="types")
    filters = {"type": "status glob ?", "types": "status in (?)"}
    always = f"created >= {store.now - EVENT_RETENTION}"
    return page(store, Listing("event", "/v1/events", filters, always=always), params)


def event_summaries(store: Store, path: dict[str, str], params: Params) -> bytes:
    """See summaries.py."""
    return summaries(store, path["id"], params)


def _lister(listing: Listing) -> Reader:
    return lambda store, _path, params: page(store, listing, params)


def _retriever(kind: str) -> Reader:
    def retrieve(store: Store, path: dict[str, str], params: Params) -> bytes:
        forms.only(params, {"expand"})
        obj = store.find(kind, path["id"])
        if obj is None:
            raise missing(kind.replace("_", " "), path["id"])
        return msgspec.json.encode(expand(store, obj, forms.strings(params, "expand")))

    return retrieve


def _child_lister(parent_kind: str, url: str, kind: str, name: str, has_created: bool) -> Reader:
    def children(store: Store, path: dict[str, str], params: Params) -> bytes:
        if store.find(parent_kind, path["id"]) is None:
            raise missing(parent_kind.replace("_", " "), path["id"])
        filters = {"invoice": EQUAL["invoice"]} if kind == "customer_balance_transaction" else {}
        listing = Listing(kind, f"{url}/{path['id']}/{name}", filters, has_created=has_created)
        return page(store, listing, params, path["id"])

    return children


def readers() -> dict[str, Reader]:
    """path → reader, with `{id}` for the object in the path."""
    table: dict[str, Reader] = {
        "/v1/account": account,
        "/v1/subscriptions": subscriptions,
        "/v1/subscription_items": subscription_items,
        "/v1/events": events,
        "/v1/billing/meters/{id}/event_summaries": event_summaries,
    }
    table |= {listing.url: _lister(listing) for listing in LISTINGS}
    table |= {
        f"{url}/{{id}}/{name}": _child_lister(owner, url, kind, name, dated)
        for owner, url, kind, name, dated in CHILDREN
    }
    table["/v1/customers/{parent}/balance_transactions/{id}"] = _retriever("customer_balance_transaction")
    table |= {f"{url}/{{id}}": _retriever(kind) for url, kind in RETRIEVED.items()}
    return table
