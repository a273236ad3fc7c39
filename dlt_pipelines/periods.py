"""Which periods customers are metered for, as their subscriptions and invoices tell while they are listed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from dlt_pipelines.rows import Tally, Window, decode
from dlt_pipelines.usage import moment

MINUTE = timedelta(minutes=1)
# What a window is: a period that is over, one that is running up to the end of cover, or a minute that two periods
# share because they meet at one of its seconds.
PERIOD, SO_FAR, SHARED_MINUTE = "period", "so_far", "shared_minute"


class _Recurring(msgspec.Struct):
    meter: str | None = None


class _Packages(msgspec.Struct):
    divide_by: int
    round: str


class _Tier(msgspec.Struct):
    flat_amount: int | None = None


class _Price(msgspec.Struct):
    id: str
    recurring: _Recurring | None = None
    transform_quantity: _Packages | None = None
    tiers: list[_Tier] | None = None

    def bills(self, used: Decimal, billed: Decimal) -> bool:
        """Whether `billed`, the sum of the lines' quantities, stands for `used` units; packages are counted whole."""
        packages, used = self.transform_quantity, max(used, Decimal(0))
        if packages is None:
            return used == billed
        if packages.round == "up":
            return 0 < used - (billed - 1) * packages.divide_by <= packages.divide_by
        return 0 <= used - billed * packages.divide_by < packages.divide_by


class _Item(msgspec.Struct):
    price: _Price
    current_period_start: int | None = None
    current_period_end: int | None = None


class _Subscription(msgspec.Struct):
    customer: str
    ended_at: int | None = None


class _Invoice(msgspec.Struct):
    customer: str | None = None
    created: int = 0


class _Span(msgspec.Struct):
    start: int
    end: int


class _PriceDetails(msgspec.Struct):
    price: str | None = None


class _Pricing(msgspec.Struct):
    price_details: _PriceDetails | None = None


class _ItemDetails(msgspec.Struct):
    subscription_item: str | None = None
    proration: bool = False


class _Parent(msgspec.Struct):
    subscription_item_details: _ItemDetails | None = None


class _Line(msgspec.Struct):
    amount: int | None = None
    period: _Span | None = None
    quantity: Decimal | None = None
    quantity_decimal: Decimal | None = None
    pricing: _Pricing | None = None
    parent: _Parent | None = None


Span = tuple[int, int]  # unix seconds, to the second as Stripe bills them


@dataclass
class Periods:
    """Which periods each customer was or is metered for: collected while prices, subscriptions and invoices are listed.

    customers: those that are listed; nothing is asked about a deleted one.
    billed: (meter, customer) → period → item → units on its lines; a running period has none.
    lines_since: invoices made before are known from earlier loads; None reads the lines of all.
    """

    customers: set[str]
    lines_since: datetime | None = None
    prices: dict[str, _Price] = field(default_factory=dict)
    billed: dict[tuple[str, str], dict[Span, dict[tuple[str, str], Decimal]]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, meter: str) -> Tally:
        """The counts of one meter, begun at zero."""
        return self.tallies.setdefault(meter, Tally())

    def see_price(self, payload: msgspec.Raw, _: list[msgspec.Raw]) -> None:
        """Note a price that is metered by a meter."""
        self._know(decode(payload, _Price, "/v1/prices"))

    def see_subscription(self, subscription: msgspec.Raw, items: list[msgspec.Raw]) -> None:
        """Note the period that each metered item is in, or was in when its subscription ended."""
        owner = decode(subscription, _Subscription, "/v1/subscriptions")
        for payload in items:
            item = decode(payload, _Item, "/v1/subscription_items")
            if item.current_period_start is None or item.current_period_end is None:
                continue
            self._know(item.price)
            ended = item.current_period_end if owner.ended_at is None else owner.ended_at
            self._note(item.price.id, owner.customer, (item.current_period_start, min(item.current_period_end, ended)))

    def see_invoice(self, payload: msgspec.Raw, lines: list[msgspec.Raw]) -> None:
        """Note the periods that an invoice's metered lines bill, and how many units they say."""
        invoice = decode(payload, _Invoice, "/v1/invoices")
        if invoice.customer is None or (self.lines_since and moment(invoice.created) < self.lines_since):
            return
        for each in lines:
            line = decode(each, _Line, "/v1/invoices/{id}/lines")
            price = line.pricing.price_details.price if line.pricing and line.pricing.price_details else None
            details = line.parent.subscription_item_details if line.parent else None
            if price not in self.prices or line.period is None or details is None or details.proration:
                continue
            items = self._note(price, invoice.customer, (line.period.start, line.period.end))
            if items is not None and details.subscription_item:
                key = (details.subscription_item, price)
                units = line.quantity if line.quantity_decimal is None else line.quantity_decimal
                # a flat fee is a line of its own, of one
                is_flat = units == 1 and any(tier.flat_amount == line.amount for tier in self.prices[price].tiers or [])
                items[key] = items.get(key, Decimal(0)) + (Decimal(0) if is_flat or units is None else units)

    def _know(self, price: _Price) -> None:
        """Keep a metered price as it was listed; the copy inside an item lacks tiers, yet outlives a deleted price."""
        if price.recurring and price.recurring.meter:
            self.prices.setdefault(price.id, price)

    def _note(self, price: str, customer: str, period: Span) -> dict[tuple[str, str], Decimal] | None:
        """The units by item of a period of that price's meter; None for a price without one or an empty period."""
        known = self.prices.get(price)
        if known is None or known.recurring is None or known.recurring.meter is None or period[0] >= period[1]:
            return None
        return self.billed.setdefault((known.recurring.meter, customer), {}).setdefault(period, {})

    def shared_minutes(self, window: Window, used: Decimal) -> list[Window]:
        """The minutes in which a period begins and ends, if its bill is not for `used`: seconds of them are others'.

        Summaries know minutes and bills know seconds, so these two bound what the window holds too much or too little.
        """
        shared = set()
        for (start, end), items in self.billed.get((window.meter, window.customer), {}).items():
            if (floor(start), floor(end)) != (window.start, window.end):
                continue
            if not all(self.prices[price].bills(used, units) for (_, price), units in items.items()):
                shared |= {floor(at) for at in (start, end) if at % 60}
        pair = window.meter, window.customer
        return [Window(*pair, minute, minute + MINUTE, SHARED_MINUTE) for minute in sorted(shared)]


def floor(seconds: int) -> datetime:
    """The minute that a moment is in: a summary's bounds are whole minutes (stripe.md 1.2)."""
    return moment(seconds - seconds % 60)
