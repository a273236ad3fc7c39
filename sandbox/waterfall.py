"""From lines to what is due, in Stripe's order (stripe.md 6.3): discounts, billing credits, tax, customer balance.

Amounts are whole minor units of one currency; discounts and credits are positive numbers that lower a line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from sandbox import options
from sandbox.rating import EXACT, ZERO, round_amount, step_of


class Discount(NamedTuple):
    """A coupon in use: `percent` (0 to 100], or `amount_off` in `currency`; `products` None: all of them."""

    id: str
    percent: Decimal | None = None
    amount_off: int | None = None
    currency: str | None = None
    products: frozenset[str] | None = None


class Rate(NamedTuple):
    """A tax rate: `percent` 0 to 100; inclusive ones are part of the line's amount already."""

    id: str
    percent: Decimal
    inclusive: bool = False


class Grant(NamedTuple):
    """Billing credits with `left` minor units; `prices` None: all metered ones."""

    id: str
    left: int
    priority: int = 50
    expires_at: int | None = None
    category: str = "promotional"
    effective_at: int = 0
    created: int = 0
    prices: frozenset[str] | None = None


@dataclass(slots=True)
class Line:
    """An invoice line going in, and (below) what is taken off and put on it, each as (id, amount)."""

    amount: int
    product: str | None = None
    price: str | None = None
    is_metered: bool = False
    discountable: bool = True
    own: tuple[Discount, ...] = ()  # item-level discounts
    rates: tuple[Rate, ...] = ()
    discounts: list[tuple[str, int]] = field(default_factory=list)
    credits: list[tuple[str, int]] = field(default_factory=list)
    taxes: list[tuple[Rate, int, int]] = field(default_factory=list)  # rate, tax, taxable amount
    left: int = 0  # the amount after discounts and credits


class Totals(NamedTuple):
    """The sums of an invoice: subtotal - discounts - credits + exclusive taxes = total."""

    subtotal: int
    discounts: int
    credits: int
    exclusive_tax: int
    inclusive_tax: int
    total: int


def apply(
    lines: Sequence[Line], discounts: Sequence[Discount] = (), grants: Iterable[Grant] = (), currency: str = "usd"
) -> Totals:
    """Fill in each line's discounts, credits and taxes, and add them up.

    discounts: those of the invoice (or its subscription) in list order; they follow the lines' own.
    grants: applicable credit grants in any order; those with nothing left do no harm.
    """
    step = step_of(currency)
    for line in lines:
        line.left = line.amount
    own = {one: [line for line in lines if one in line.own] for line in lines for one in line.own}
    for discount, its in [*own.items(), *((one, lines) for one in discounts)]:
        _discount(discount, its, currency, step)
    discounted = sum(line.left for line in lines)
    for grant in ordered(grants):
        left = grant.left
        for line in lines:
            taken = min(left, line.left)
            if line.is_metered and taken > 0 and (grant.prices is None or line.price in grant.prices):
                line.credits.append((grant.id, taken))
                line.left -= taken
                left -= taken
    after = sum(line.left for line in lines)
    _tax(lines, step)
    taxes = [(rate.inclusive, tax) for line in lines for rate, tax, _ in line.taxes]
    exclusive, inclusive = (sum(tax for kind, tax in taxes if kind is wanted) for wanted in (False, True))
    subtotal = sum(line.amount for line in lines)
    return Totals(subtotal, subtotal - discounted, discounted - after, exclusive, inclusive, after + exclusive)


def spread(amount: int, exact: Sequence[Decimal], step: int = 1) -> list[int]:
    """`exact` shares rounded to multiples of `step` that sum to `amount`; those cut furthest are the ones raised."""
    parts = [int(EXACT.divide(share, Decimal(step)).to_integral_value(ROUND_FLOOR)) * step for share in exact]
    by_cut = sorted(range(len(exact)), key=lambda index: (parts[index] - exact[index], index))
    whole, odd = divmod(amount - sum(parts), step)  # odd: of an amount that is no multiple of the step
    for index in by_cut[:whole]:
        parts[index] += step
    if odd:
        parts[by_cut[whole]] += odd
    return parts


def _rounded(exact: list[Decimal], per_line: bool, step: int) -> list[int]:
    """Each for itself, or so that they sum to the rounded sum."""
    if per_line:
        return [round_amount(one, step) for one in exact]
    return spread(round_amount(sum(exact, ZERO), step), exact, step)


def _discount(discount: Discount, lines: Iterable[Line], currency: str, step: int) -> None:
    meant = [line for line in lines if line.discountable and line.left > 0]
    meant = [line for line in meant if discount.products is None or line.product in discount.products]
    if discount.percent is not None:
        exact = [EXACT.multiply(Decimal(line.left), discount.percent).scaleb(-2, EXACT) for line in meant]
        parts = _rounded(exact, options.PERCENT_ROUNDED_PER_LINE, step)
    else:
        whole = sum(line.left for line in meant)
        taken = min(discount.amount_off or 0, whole) if discount.currency == currency else 0
        parts = spread(taken, [EXACT.divide(Decimal(taken * line.left), Decimal(whole)) for line in meant], step)
    for line, part in zip(meant, parts, strict=True):
        line.discounts.append((discount.id, min(part, line.left)))
        line.left -= min(part, line.left)


def ordered(grants: Iterable[Grant]) -> list[Grant]:
    """In the order in which Stripe spends them (options.CREDIT_ORDER): those that never expire last."""

    def rank(grant: Grant) -> list[float]:
        last = float("inf") if grant.expires_at is None else grant.expires_at
        values = grant._asdict() | {"category": grant.category != "promotional", "expires_at": last}
        return [values[name] for name in options.CREDIT_ORDER]

    return sorted(grants, key=rank)


def _tax(lines: Iterable[Line], step: int) -> None:
    """Inclusive rates are carved out together; exclusive ones go on what is then left."""
    rows: dict[Rate, list[tuple[Line, Decimal, Decimal]]] = {}
    for line in lines:
        inclusive = sum((rate.percent for rate in line.rates if rate.inclusive), ZERO)
        for rate in line.rates:
            net = EXACT.divide(Decimal(line.left * 100), 100 + inclusive)
            rows.setdefault(rate, []).append((line, net, EXACT.multiply(net, rate.percent).scaleb(-2, EXACT)))
    for rate, its in rows.items():
        taxes = _rounded([tax for _, _, tax in its], options.TAX_ROUNDED_PER_LINE, step)
        for (line, net, _), amount in zip(its, taxes, strict=True):
            line.taxes.append((rate, amount, round_amount(net, step)))


class Settlement(NamedTuple):
    """What a total and a customer's balance make of each other; `moves` are changes of the balance and why."""

    due: int
    ending_balance: int
    moves: tuple[tuple[str, int], ...] = ()


def settle(total: int, balance: int, currency: str) -> Settlement:
    """Apply a customer's balance (negative: credit, positive: debt) to an invoice's total when it is finalised.

    What is left below the currency's minimum charge is not asked for: it becomes debt (`invoice_too_small`).
    """
    net = total + balance
    due = net if net >= options.MINIMUM_CHARGE.get(currency, options.MINIMUM_CHARGE_ELSEWHERE) else 0
    small = 0 if due else min(max(net, 0), max(total, 0))
    moves = (("applied_to_invoice", net - due - balance - small), ("invoice_too_small", small))
    return Settlement(due, net - due, tuple(move for move in moves if move[1]))
