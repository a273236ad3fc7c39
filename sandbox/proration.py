"""Licensed items that change within their period: what is given back and what is asked for (stripe.md 6.4).

Shares are by the second of [start, end); usage is never prorated. Amounts are minor units.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from sandbox.rating import EXACT, ZERO, part_of, round_amount


class Debit(NamedTuple):
    """An amount once billed for an item and [start, end); a credit given since is a negative one."""

    amount: int
    start: int
    end: int


def debit(amount: int, start: int, end: int, at: int, step: int = 1) -> int:
    """What `amount`, the price of the whole period, costs for its rest from `at` on."""
    return part_of(amount, _rest(start, end, at), end - start, step)


def credit(debits: Iterable[Debit], at: int, step: int = 1) -> int:
    """What goes back for the time after `at`: 0 or less, one line, rounded once.

    In flexible billing `debits` are the amounts originally billed for the item (and earlier credits on it); in classic
    billing one Debit of the present price's amount over the present period.
    """
    shares = [EXACT.divide(Decimal(amount * _rest(start, end, at)), Decimal(end - start))
              for amount, start, end in debits if end > start]  # fmt: skip
    return -max(round_amount(sum(shares, ZERO), step), 0)


def _rest(start: int, end: int, at: int) -> int:
    return min(max(end - at, 0), end - start)
