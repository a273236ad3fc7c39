"""The numbers of a text that explains, read back out of it."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}  # ISO 4217
MONEY = re.compile(r"\b([A-Z]{3}) (-?)([\d,]+)(?:\.(\d+))?")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def minor(currency: str, sign: str, whole: str, rest: str | None) -> int:
    """An amount in words as minor units; a text with other decimals than the currency's is wrong."""
    assert len(rest or "") == DECIMALS[currency], (currency, whole, rest)
    return int(f"{sign}{whole.replace(',', '')}{rest or ''}")


def parsed(said: str, names: set[str]) -> tuple[Counter[int], set[str], set[Decimal]]:
    """The amounts, days and other numbers of a text without the names of things."""
    for name in sorted(names, key=len, reverse=True):
        said = said.replace(name, "·")
    amounts = Counter(minor(*found) for found in MONEY.findall(said))
    said = MONEY.sub(" ", said)
    days, said = set(DAY.findall(said)), DAY.sub(" ", said)
    return amounts, days, {Decimal(found.replace(",", "")) for found in NUMBER.findall(said)}
