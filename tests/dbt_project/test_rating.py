"""The one rating rule, against a Decimal oracle that was written another way."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.raw import (
    RawWarehouse,
    account,
    customer,
    epoch,
    meter,
    metered_item,
    metered_price,
    subscription,
)
from tests.oracles.rating import rated_steps

CASES = 300
SEED = 20261101


def _unit_amount(draw: random.Random) -> str:
    """From nothing to thousands, with up to the 12 decimal places that Stripe allows; halves are frequent."""
    whole, places = draw.choice([0, 0, 1, 7, 250, 4000]), draw.choice([0, 1, 1, 2, 4, 8, 12])
    return f"{whole}.{draw.choice([5 * 10 ** (places - 1), draw.randrange(10**places)]):0{places}d}" if places else "3"


def _price(draw: random.Random, price_id: str) -> dict[str, Any]:
    kind = draw.choice(["per_unit", "package", "graduated", "volume"])
    if kind == "per_unit":
        return metered_price(price_id, unit_amount_decimal=_unit_amount(draw))
    if kind == "package":
        transform = {"divide_by": draw.choice([3, 60, 1000]), "round": draw.choice(["up", "down"])}
        return metered_price(price_id, unit_amount_decimal=_unit_amount(draw), transform_quantity=transform)
    bounds: list[int | None] = [*sorted(draw.sample([10, 100, 1000, 5000, 100_000], draw.randint(1, 4))), None]
    tiers = [
        {"up_to": bound, "unit_amount_decimal": _unit_amount(draw), "flat_amount": draw.choice([None, 0, 500])}
        for bound in bounds
    ]
    return metered_price(price_id, billing_scheme="tiered", tiers_mode=kind, tiers=tiers)


def _quantity(draw: random.Random) -> Decimal:
    """Often a bound or its neighbour, where a rule goes wrong first; sometimes a fraction, sometimes none."""
    near = draw.choice([0, 10, 100, 999, 1000, 5000, 60, 12_000, 100_000]) + draw.choice([-1, 0, 0, 1])
    return Decimal(max(near, 0)) + draw.choice([Decimal(0), Decimal(0), Decimal("0.5"), Decimal("0.000001")])


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[dict[str, Any], Decimal]]]:
    """A warehouse of random prices and quantities after dbt rated them, and what was put in: item to (price, usage)."""
    data = tmp_path_factory.mktemp("rating")
    draw = random.Random(SEED)  # noqa: S311 - repeatable cases, not secrets
    drawn = {f"si_{n}": (_price(draw, f"price_{n}"), _quantity(draw)) for n in range(CASES)}
    with RawWarehouse(data) as raw:
        raw.add("accounts", [account()])
        raw.add("meters", [meter()])
        raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
        for item, (price, quantity) in drawn.items():
            raw.add("prices", [price])
            raw.add("customers", [customer(f"cus_{item}")])
            raw.add("subscriptions", [subscription(f"sub_{item}", f"cus_{item}")])
            raw.add("subscription_items", [metered_item(item, f"sub_{item}", price)])
            first = min(quantity, Decimal(7))
            raw.add_usage(f"cus_{item}", {"2026-02-03": first, "2026-02-28": quantity - first})
        raw.report_load("2026-03-01")
    built = dbt(data, "run", "--select", "+fct_usage_periods")
    assert built.returncode == 0, built.stdout
    return data, drawn


def test_every_step_is_the_oracles_to_the_minor_unit(
    rated: tuple[Path, dict[str, tuple[dict[str, Any], Decimal]]],
) -> None:
    data, drawn = rated
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        rows = con.execute(
            "select subscription_item_id, tier_quantity, amount_minor from marts.fct_rating_steps "
            "order by subscription_item_id, tier_index"
        ).fetchall()
    found: dict[str, list[tuple[Decimal, int]]] = defaultdict(list)
    for item, tier_quantity, amount in rows:
        found[item].append((tier_quantity, amount))

    wrong = {
        item: (price, quantity, found[item])
        for item, (price, quantity) in drawn.items()
        if found[item] != rated_steps(price, quantity)
    }
    assert len(drawn) == CASES
    assert wrong == {}


def test_a_period_costs_the_sum_of_its_steps(
    rated: tuple[Path, dict[str, tuple[dict[str, Any], Decimal]]],
) -> None:
    data, drawn = rated
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        periods = con.execute(
            "select subscription_item_id, quantity, rated_amount_minor from marts.fct_usage_periods"
        ).fetchall()

    assert {item: (quantity, amount) for item, quantity, amount in periods} == {
        item: (quantity, sum(amount for _, amount in rated_steps(price, quantity)))
        for item, (price, quantity) in drawn.items()
    }
