"""What a customer is told beside what is done for it: a notice speaks of today's prices, so not while they move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbt_project.money_world import compiled_in
from tests.dbt_project.verdict_bench import FRAMEWORK, Verdicts

MOVES = ("courtesy_credit", "retention_offer", "right_size_downgrade", "tier_upgrade", "price_test_assignment")


@pytest.fixture
def bench(first_run: tuple[Path, str]) -> Iterator[Verdicts]:
    made = Verdicts(compiled_in(first_run[0], *FRAMEWORK))
    yield made
    made.con.close()


def test_a_notice_yields_to_what_makes_it_untrue_or_needless_on_the_same_subscription(bench: Verdicts) -> None:
    bench.customers(*MOVES, "other", "declined", "nobody")
    of = dict(zip(MOVES, MOVES, strict=True)) | {"other": "tier_upgrade", "declined": "tier_upgrade"}
    for customer, kind in of.items():
        bench.propose(kind, customer, subscription_id=f"moves {customer}", source_event_id="spike")
    for customer in (*of, "nobody"):
        named = "another" if customer == "other" else f"moves {customer}"
        for notice in ("invoice_note", "usage_alert"):
            bench.propose(notice, customer, subscription_id=named)
    upgrade = bench.id_of("tier_upgrade", "declined")
    bench.decide("tier_upgrade", "declined", upgrade, how="declined")
    verdicts = bench.verdicts()
    yielding = {pair for pair, verdict in verdicts.items() if verdict == "conflict"}
    # a smaller plan begins with the next period, and an offer changes no price of usage
    assert yielding == {
        ("invoice_note", "courtesy_credit"), ("invoice_note", "right_size_downgrade"),
        ("invoice_note", "tier_upgrade"), ("invoice_note", "price_test_assignment"),
        ("usage_alert", "tier_upgrade"), ("usage_alert", "price_test_assignment"),
    }  # fmt: skip
    bench.run()
    why = bench.rows("from marts.recommendations_withheld where kind = 'usage_alert' and customer_id = 'tier_upgrade'")
    assert [row["preferred_recommendation_id"] for row in why] == [bench.id_of("tier_upgrade", "tier_upgrade")]
    assert "(tier upgrade)" in why[0]["why"]
