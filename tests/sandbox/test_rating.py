from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rating import Part, part_of, percent_of, rate, round_amount
from tests.oracles import unit_by_unit

Tier = tuple[int | None, str, int | None]

T = [(10_000, "0.5", None), (100_000, "0.4", None), (None, "0.25", None)]
FLAT = [(1_000, "0", 2000), (None, "3", None)]


def tiered(mode: str, tiers: Sequence[Tier], currency: str = "usd") -> dict[str, Any]:
    rows = [{"up_to": up_to, "unit_amount_decimal": unit, "flat_amount": flat} for up_to, unit, flat in tiers]
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": rows, "currency": currency}


def per_unit(unit: str, divide_by: int | None = None, rounding: str = "up", currency: str = "usd") -> dict[str, Any]:
    transform = {"divide_by": divide_by, "round": rounding} if divide_by else None
    shown = {"billing_scheme": "per_unit", "unit_amount_decimal": unit, "transform_quantity": transform}
    return shown | {"currency": currency}


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
        (per_unit("0.5", currency="jpy"), "1001", [501]),
    ],
)
def test_the_worked_examples_of_the_reference(price: dict[str, Any], usage: str, amounts: list[int]) -> None:
    assert charged(rate(price, Decimal(usage))) == amounts


def test_three_lines_are_three_roundings() -> None:
    assert sum(rate(per_unit("10.5"), Decimal(1))[0].amount for _ in range(3)) == 33


def test_the_discount_step_of_the_reference_waterfall() -> None:
    assert sum(percent_of(amount, Decimal(10)) for amount in (5000, 36000, 6250)) == 4725


@pytest.mark.parametrize("mode", ["graduated", "volume"])
def test_no_usage_still_costs_the_first_tiers_flat_fee(mode: str) -> None:
    assert charged(rate(tiered(mode, FLAT), Decimal(0))) == [2000]


def test_an_account_can_have_no_flat_fee_at_no_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.rating.FLAT_FEE_AT_ZERO_USAGE", False)
    assert charged(rate(tiered("graduated", FLAT), Decimal(0))) == []
    assert charged(rate(tiered("graduated", FLAT), Decimal(1))) == [2000]


def test_a_flat_fee_may_be_given_as_a_decimal() -> None:
    price = tiered("volume", [(None, "0", None)])
    price["tiers"][0] |= {"flat_amount": None, "flat_amount_decimal": "700"}
    assert charged(rate(price, Decimal(3))) == [700]


def test_a_negative_total_is_billed_as_nothing() -> None:
    (part,) = rate(per_unit("5"), Decimal(-3))
    assert part.quantity == part.amount == 0


def test_a_licensed_quantity_runs_through_tiers_like_usage() -> None:
    seats = tiered("volume", [(5, "1000", None), (None, "800", None)])
    assert [charged(rate(seats, Decimal(count))) for count in (5, 6)] == [[5000], [4800]]


def test_tier_quantities_add_up_to_the_usage() -> None:
    for usage in (Decimal("0.5"), Decimal(10_000), Decimal("10000.25"), Decimal(250_000)):
        parts = rate(tiered("graduated", T), usage)
        assert sum((part.quantity for part in parts), Decimal(0)) == usage


@pytest.mark.parametrize(("currency", "amount"), [("usd", 1235), ("jpy", 1235), ("kwd", 1230), ("isk", 1200)])
def test_amounts_are_multiples_of_what_the_currency_can_pay(currency: str, amount: int) -> None:
    assert rate(per_unit("1.2345", currency=currency), Decimal(1000))[0].amount == amount


def test_twelve_decimals_of_price_and_six_of_quantity_stay_exact() -> None:
    (part,) = rate(per_unit("0.000000000001"), Decimal("500000000000.000000"))
    assert part.amount == 1
    (part,) = rate(per_unit("0.000000000001"), Decimal("499999999999.999999"))
    assert part.amount == 0
    (part,) = rate(per_unit("123456789012.123456789012"), Decimal("987654321098765.654321"))
    assert part.amount == unit_by_unit.rounded(
        Fraction("123456789012.123456789012") * Fraction("987654321098765.654321")
    )


@pytest.mark.parametrize("mode", ["graduated", "volume"])
def test_a_price_whose_last_tier_ends_is_refused_beyond_it(mode: str) -> None:
    with pytest.raises(ValueError, match="no upper bound"):
        rate(tiered(mode, [(10, "1", None)]), Decimal(11))


def test_halves_go_away_from_zero() -> None:
    assert [round_amount(Decimal(text)) for text in ("0.5", "1.5", "2.5", "-0.5", "2.49")] == [1, 2, 3, -1, 2]
    assert [part_of(amount, 1, 2) for amount in (5, -5)] == [3, -3]


units = st.decimals(min_value=0, max_value=20, places=3).map(str)
fees = st.sampled_from([None, 0, 250])
usages = st.decimals(min_value=-5, max_value=60, places=6)


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    """Any shape of price, with bounds low enough to count through."""
    if draw(st.booleans()):
        size = draw(st.none() | st.integers(1, 25))
        return per_unit(draw(units), size, draw(st.sampled_from(["up", "down"])))
    bounds: list[int | None] = [*sorted(draw(st.sets(st.integers(1, 50), max_size=4))), None]
    tiers = [(bound, draw(units), draw(fees)) for bound in bounds]
    return tiered(draw(st.sampled_from(["graduated", "volume"])), tiers)


@given(prices(), usages | st.integers(0, 60).map(Decimal))
def test_every_line_is_what_counting_unit_by_unit_gives(price: dict[str, Any], usage: Decimal) -> None:
    assert [part.amount for part in rate(price, usage)] == unit_by_unit.amounts(price, usage)
