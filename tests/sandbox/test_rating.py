from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from sandbox.rating import Part, percent_of, rate

Tier = tuple[int | None, str, int | None]

T = [(10_000, "0.5", None), (100_000, "0.4", None), (None, "0.25", None)]
FLAT = [(1_000, "0", 2000), (None, "3", None)]


def tiered(mode: str, tiers: Sequence[Tier]) -> dict[str, Any]:
    rows = [{"up_to": up_to, "unit_amount_decimal": unit, "flat_amount": flat} for up_to, unit, flat in tiers]
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": rows}


def per_unit(unit: str, divide_by: int | None = None, rounding: str = "up") -> dict[str, Any]:
    transform = {"divide_by": divide_by, "round": rounding} if divide_by else None
    return {"billing_scheme": "per_unit", "unit_amount_decimal": unit, "transform_quantity": transform}


def charged(parts: list[Part]) -> list[int]:
    return [part.amount for part in parts if part.amount or (part.quantity and part.unit_amount)]


@pytest.mark.parametrize(
    ("price", "usage", "amounts"),
    [
        (per_unit("0.05"), "30", [2]),
        (per_unit("0.0125"), "12345", [154]),
        (tiered("graduated", T), "125000", [5000, 36000, 6250]),
        (tiered("volume", T), "125000", [31250]),
        (tiered("graduated", T), "10001", [5000, 0]),
        (tiered("volume", T), "10000", [5000]),
        (tiered("volume", T), "10001", [4000]),
        (tiered("volume", T), "100000", [40000]),
        (tiered("volume", T), "100001", [25000]),
        (tiered("graduated", FLAT), "1500", [2000, 1500]),
        (per_unit("50", 1000), "12001", [650]),
        (per_unit("50", 1000, "down"), "12001", [600]),
        (per_unit("1000", 60), "61", [2000]),
        (per_unit("0.5"), "1001", [501]),
    ],
)
def test_the_worked_examples_of_the_reference(price: dict[str, Any], usage: str, amounts: list[int]) -> None:
    assert charged(rate(price, Decimal(usage))) == amounts


def test_three_lines_are_three_roundings() -> None:
    assert sum(rate(per_unit("10.5"), Decimal(1))[0].amount for _ in range(3)) == 33


def test_the_discount_step_of_the_reference_waterfall() -> None:
    assert sum(percent_of(amount, Decimal(10)) for amount in (5000, 36000, 6250)) == 4725


def test_no_usage_still_costs_the_first_tiers_flat_fee() -> None:
    assert charged(rate(tiered("graduated", FLAT), Decimal(0))) == [2000]
    assert charged(rate(tiered("volume", FLAT), Decimal(0))) == [2000]


def test_a_negative_total_is_billed_as_nothing() -> None:
    (part,) = rate(per_unit("5"), Decimal(-3))
    assert part.quantity == part.amount == 0


def test_tier_quantities_add_up_to_the_usage() -> None:
    for usage in (Decimal("0.5"), Decimal(10_000), Decimal("10000.25"), Decimal(250_000)):
        parts = rate(tiered("graduated", T), usage)
        assert sum((part.quantity for part in parts), Decimal(0)) == usage
