"""The event log: what Stripe says happened, each event landed once, and which objects it touched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import msgspec

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.crew import Crew
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.inbox import pending
from dlt_pipelines.lists import Pair, Walk
from dlt_pipelines.rows import KIND_SCHEMA, Head, decode, seconds_of, table_of, version_hash
from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import EVENT_DAYS, EVENTS, KINDS
from dlt_pipelines.versions import Versions

DAY = 86_400
CHUNK = 5_000  # events that are compared with the warehouse at a time
MANY = 20_000  # events in one load from which on preparing for the comparison pays
_NULL = msgspec.Raw(b"null")
_EMPTY = (_NULL, msgspec.Raw(b"0"))
_KIND_OF = {kind.object: kind.table for kind in KINDS} | {"plan": "prices"}
# Objects that events tell of and that are not loaded: no fault of ours or of Stripe's.
# fmt: off
NOT_LOADED = {
    "account", "application", "application_fee", "balance", "bank_account", "billing_portal.configuration",
    "billing_portal.session", "capability", "card", "cash_balance", "checkout.session",
    "customer_cash_balance_transaction", "entitlements.active_entitlement_summary", "fee_refund", "file",
    "financial_connections.account", "invoice_rendering_template", "item", "mandate", "payment_link", "payout",
    "person", "radar.early_fraud_warning", "reporting.report_run", "reporting.report_type", "review",
    "scheduled_query_run", "setup_intent", "source", "tax.settings", "tax_id", "terminal.reader",
    "test_helpers.test_clock", "topup", "transfer", "webhook_endpoint",
}
# fmt: on


class _Said(msgspec.Struct):
    """What an event carries of its object: of an older shape, so only ids are taken from it."""

    object: str = ""
    id: str | None = None
    created: int | None = None
    customer: msgspec.Raw = _NULL
    subscription: msgspec.Raw = _NULL
    invoice: msgspec.Raw = _NULL
    alert: msgspec.Raw = _NULL
    source: msgspec.Raw = _NULL
    coupon: msgspec.Raw = _NULL
    promotion_code: msgspec.Raw = _NULL
    balance: msgspec.Raw = _NULL
    payment_method: msgspec.Raw = _NULL


class _Data(msgspec.Struct):
    object: _Said | None = None
    previous_attributes: dict[str, msgspec.Raw] | None = None


class _Event(Head):
    type: str = ""
    data: _Data | None = None


class _Related(msgspec.Struct):
    id: str
    type: str


class _Thin(msgspec.Struct):
    """A v2 event: its `created` is text, and it names its object without a copy of it (stripe.md 3)."""

    id: str
    type: str = "unreadable"
    related_object: _Related | None = None


@dataclass
class News:
    """What has happened since the last finished load; before the first, what happened is not kept.

    touched: table → id → `created` of the object where the event says it. followed: nested table → parents whose list
    changed. repriced: prices that were edited. count: events that no finished load has seen. newest: `created` of the
    newest event, unix seconds. from_inbox: ids that webhooks brought.
    """

    touched: dict[str, dict[str, int | None]] = field(default_factory=dict)
    followed: dict[str, set[str]] = field(default_factory=dict)
    repriced: set[str] = field(default_factory=set)
    count: int = 0
    newest: int | None = None
    from_inbox: list[str] = field(default_factory=list)


def read_events(load: Load, settings: Settings, news: News) -> Iterator[Batch]:
    """Events that have not landed, from the webhook inbox and from Stripe's list; fills `news`.

    The list is read from before the newest event of the last finished load (all 30 days at first): by an hour, and,
    where the daily reading is due, from a day before the last daily reading on, since an event may appear later than
    its `created`: up to a day late, none is missed. An event is landed once
    and not versioned: later only its delivery count (`pending_webhooks`) changes.
    """
    landed, tally = load.landed(EVENTS.table), load.tally(EVENTS.table)
    taken: set[str] = set()  # from the inbox; the list may repeat those, but never itself, and may be of millions
    versions = Versions(load, EVENTS.table, landed)
    held: list[Pair] = []
    yield EVENTS.table, table_of(KIND_SCHEMA, [])

    def read(payloads: list[msgspec.Raw]) -> list[Pair]:
        events: list[Pair] = []
        for payload in payloads:
            try:
                events.append((payload, _event(payload)))
            except BadResponse:
                tally.note("no_id")
        tally.rows_read += len(payloads)
        load.progress.update(EVENTS.table, tally)
        return events

    def take(events: list[Pair], is_listed: bool) -> Iterator[Batch]:
        if tally.rows_read > MANY:
            landed.prepare()
        known = landed.versions([event.id for _, event in events], [event.created for _, event in events])
        for payload, event in events:
            version = known.get(event.id)
            news.newest = max(news.newest or 0, event.created or 0)
            if event.id in taken or (version and version.is_settled):
                continue
            if not is_listed:
                taken.add(event.id)
            news.count += 1
            _note(news, cast(_Event, event), load)  # as `read` made it
            if version is None:
                versions.add(event, payload, version_hash(payload))
        yield from versions.batches()

    def hold(events: list[Pair]) -> Iterator[Batch]:
        held.extend(events)
        if len(held) >= CHUNK:
            yield from flush()

    def flush() -> Iterator[Batch]:
        events = list(held)
        held.clear()
        yield from take(events, is_listed=True)

    load.progress.update(EVENTS.table, tally)
    waiting = pending(settings)
    news.from_inbox = [event_id for event_id, _ in waiting]
    for first in range(0, len(waiting), CHUNK):
        yield from take(read([msgspec.Raw(body) for _, body in waiting[first : first + CHUNK]]), is_listed=False)
    crew = Crew(load.config.workers, load.reader.stop)
    Walk(crew, load.reader, EVENTS.path, {}, tally, read, hold, flush, is_dated=True).start(_since(load))
    yield from crew.run()


def _event(payload: msgspec.Raw) -> _Event:
    """An event; of a thin one, or one of no known shape, what it is about alone. Raises BadResponse without an id."""
    try:
        return decode(payload, _Event, EVENTS.path)
    except BadResponse:
        thin = decode(payload, _Thin, EVENTS.path)
        about = _Said(thin.related_object.type, thin.related_object.id) if thin.related_object else None
        return _Event(id=thin.id, type=thin.type, data=_Data(about))


def rereads_now(load: Load) -> bool:
    """Whether what can change without an event, and the whole last day of events, is due."""
    last = load.cursors.reread_at
    return last is None or load.started_at - last >= timedelta(hours=load.config.reread_hours)


def _since(load: Load) -> int:
    kept_from = load.started_second - EVENT_DAYS * DAY
    until = load.cursors.events_until
    if until is None:
        return kept_from
    since = until - 60 * load.config.events_overlap_minutes
    if rereads_now(load) and load.cursors.reread_at:
        since = min(
            since, seconds_of(load.cursors.reread_at) - DAY
        )  # from a day before the last time: none falls between
    return max(kept_from, since)


def _note(news: News, event: _Event, load: Load) -> None:
    """Which objects the event says have changed."""
    if event.type == "invoice.upcoming":  # a preview: no such object exists
        return
    if event.data is None or event.data.object is None:
        load.tally(EVENTS.table).note("unknown_event", f"{event.type} ({event.id})")
        return
    said, before = event.data.object, event.data.previous_attributes or {}
    # At first every list is read whole, and the events of 30 days may name millions.
    is_first = load.cursors.read_at is None

    def touch(table: str, object_id: str | None, created: int | None = None) -> None:
        if object_id and not is_first:
            news.touched.setdefault(table, {}).setdefault(object_id, created)

    def follow(table: str, parent: str | None) -> None:
        if parent and not is_first:
            news.followed.setdefault(table, set()).add(parent)

    if table := _KIND_OF.get(said.object):
        touch(table, said.id, said.created)
        if table == "customers" and (
            before.keys() & {"balance", "invoice_credit_balance"} or said.balance not in _EMPTY
        ):
            follow("customer_balance_transactions", said.id)
        if said.object == "payment_intent" and said.customer == _NULL:
            touch("payment_methods", _id(said.payment_method))  # one that no customer has is made without an event
        if event.type == "price.updated" and said.id:
            news.repriced.add(said.id)
        if event.type == "invoice.finalized":
            touch("customers", _id(said.customer))  # its next invoice number has no event of its own
    elif said.object == "discount":
        touch("customers", _id(said.customer))
        touch("subscriptions", _id(said.subscription))
        touch("invoices", _id(said.invoice))
        for coupon in (_id(said.source, "coupon"), _id(said.coupon)):  # the second is of versions before 2025-09
            touch("coupons", coupon)  # its count of redemptions has no event of its own
        touch("promotion_codes", _id(said.promotion_code))
    elif said.object == "invoice_payment":
        touch("invoices", _id(said.invoice))
    elif said.object == "billing.alert_triggered":
        touch("alerts", _id(said.alert))
    elif said.object not in NOT_LOADED:
        load.tally(EVENTS.table).note("unknown_event", f"{event.type} ({event.id})")


def _id(value: msgspec.Raw, field: str = "id") -> str | None:
    """The id in an expandable field: the id alone, the whole object, or null. field: where an object has either."""
    decoded = msgspec.json.decode(value)
    for name in (field, "id"):
        decoded = decoded.get(name) if isinstance(decoded, dict) else decoded
    return decoded if isinstance(decoded, str) else None
