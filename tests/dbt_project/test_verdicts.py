"""What becomes of a proposal: each verdict at its boundary, who is held back, and the words that come out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.dbt_project.money_world import ACCOUNT, AS_OF, Row, compiled_in
from tests.dbt_project.verdict_bench import FRAMEWORK, Verdicts, hold_back_seed


@pytest.fixture(scope="module")
def sql(first_run: tuple[Path, str]) -> dict[str, str]:
    return compiled_in(first_run[0], *FRAMEWORK)


@pytest.fixture
def bench(sql: dict[str, str]) -> Iterator[Verdicts]:
    made = Verdicts(sql)
    yield made
    made.con.close()


def day(days: int) -> date:
    return AS_OF + timedelta(days=days)


def test_what_was_decided_does_not_come_back_and_keeps_its_place_in_its_group(bench: Verdicts) -> None:
    bench.customers("done", "declined", "undone", "other")
    for customer in ("done", "declined", "undone", "other"):
        bench.propose("tier_upgrade", customer)
        bench.propose("retention_offer", customer)
        bench.propose("invoice_note", customer)
    for customer, how in (("done", "outcome"), ("declined", "declined"), ("undone", "outcome")):
        undoes = "action" if customer == "undone" else None
        bench.decide("tier_upgrade", customer, bench.id_of("tier_upgrade", customer), how=how, undoes=undoes)
    bench.decide("tier_upgrade", "other", "another id")
    verdicts = bench.verdicts()
    for customer in ("done", "declined"):
        assert verdicts["tier_upgrade", customer] == "settled"
        assert verdicts["retention_offer", customer] == "conflict"  # it would go first, had nothing been decided
        assert verdicts["invoice_note", customer] == "recommended"
    for customer in ("undone", "other"):
        assert verdicts["retention_offer", customer] == "recommended"
        assert verdicts["tier_upgrade", customer] == "conflict"


def test_a_credit_goes_before_everything_that_changes_bills_even_what_was_decided(bench: Verdicts) -> None:
    order = ("retention_offer", "right_size_downgrade", "tier_upgrade", "upgrade_quote", "price_test_assignment")
    bench.customers("all", "settled", *order)
    for place, kind in enumerate(order):
        for customer in ("all", "settled", *order[: place + 1]):
            bench.propose(kind, customer, urgency=float(place))
    for customer in ("all", "settled"):
        bench.propose("courtesy_credit", customer, urgency=0.0, source_event_id="spike")
    bench.decide("tier_upgrade", "settled", bench.id_of("tier_upgrade", "settled"))
    verdicts = bench.verdicts()
    for customer in ("all", "settled"):
        assert verdicts["courtesy_credit", customer] == "recommended"
        assert {verdicts[kind, customer] for kind in order if kind != "tier_upgrade"} == {"conflict"}
    assert verdicts["tier_upgrade", "settled"] == "settled"
    for first in order:  # of what somebody has, the first in the order, however urgent the others are
        assert {kind for kind in order if verdicts.get((kind, first)) == "recommended"} == {first}


def test_a_customer_is_left_in_peace_for_the_days_of_the_proposed_kind_counted_from_the_act(bench: Verdicts) -> None:
    bench.kinds["tier_upgrade"] = {"cooldown_days": 30}
    cases = {"over": ("retention_offer", 30), "cool": ("retention_offer", 29), "declined": ("retention_offer", 29)}
    cases |= {"note": ("invoice_note", 1), "retry": ("retry_payment", 1), "undo": ("tier_upgrade", 1)}
    cases |= {"refused": ("tier_upgrade", 1)}  # by Stripe, before anything was done: no note of another group counts
    hows = {"declined": "declined", "refused": "failed"}
    for customer, (kind, days) in cases.items():
        bench.customers(customer)
        bench.propose("tier_upgrade", customer)
        undoes = "action" if customer == "undo" else None
        bench.decide(kind, customer, on=day(-days), how=hows.get(customer, "outcome"), undoes=undoes)
    verdicts = {customer: verdict for (_, customer), verdict in bench.verdicts().items() if customer}
    assert {customer for customer, verdict in verdicts.items() if verdict == "cool_down"} == {"cool", "declined"}
    bench.run(FRAMEWORK)
    withheld = {row["customer_id"]: row for row in bench.rows("from marts.recommendations_withheld")}
    assert withheld["cool"]["cools_until"] == day(1)
    assert str(day(1)) in withheld["cool"]["why"]


@pytest.mark.parametrize("by", ["stripe", "plan", "runner"])
def test_days_count_by_stripes_clock_or_the_plans_day_or_the_runners_clock(bench: Verdicts, by: str) -> None:
    bench.kinds["tier_upgrade"] = {"cooldown_days": 30}
    for customer, days in (("over", 30), ("cool", 29)):
        bench.customers(customer)
        bench.propose("tier_upgrade", customer)
        bench.decide("tier_upgrade", customer, on=day(-days), by=by)
    verdicts = bench.verdicts()
    assert [verdicts["tier_upgrade", customer] for customer in ("over", "cool")] == ["recommended", "cool_down"]


def test_a_kind_without_cool_down_waits_for_nothing_though_the_act_came_after_the_day_of_the_data(
    bench: Verdicts,
) -> None:
    """People act on the day after as_of: what is owed must not wait for the next one."""
    bench.customers("spiked")
    bench.propose("courtesy_credit", "spiked")
    bench.decide("tier_upgrade", "spiked", on=day(1))
    assert bench.verdict("courtesy_credit", "spiked") == "recommended"


def test_no_more_customers_are_advised_than_the_share_and_the_more_urgent_come_first(bench: Verdicts) -> None:
    bench.kinds["tier_upgrade"] = {"most_share": 0.1}
    bench.kinds["invoice_note"] = {"most_share": 0.101}
    names = [f"cus_{number:02}" for number in range(30)]
    bench.customers(*names)
    bench.customers("gone", is_deleted=True)
    for number, name in enumerate(names):
        bench.propose("tier_upgrade", name, urgency=float(number % 15))
        bench.propose("invoice_note", name)
    bench.propose("tier_upgrade", "gone", urgency=99.0)
    bench.decide("tier_upgrade", "cus_14", bench.id_of("tier_upgrade", "cus_14"))
    verdicts = bench.verdicts()
    assert ("tier_upgrade", "gone") not in verdicts
    upgrades = [name for name in names if verdicts["tier_upgrade", name] == "recommended"]
    assert upgrades == ["cus_13", "cus_28", "cus_29"]  # exactly three of thirty; what is settled takes no place
    notes = [name for name in names if verdicts["invoice_note", name] == "recommended"]
    # of those alike, the lowest ids, so that every build says the same
    assert notes == sorted(sorted(names, key=lambda name: bench.id_of("invoice_note", name))[:4])
    assert {verdicts["invoice_note", name] for name in names if name not in notes} == {"over_share"}


def test_an_account_gets_at_most_4000_at_once_the_first_of_each_kind_in_turn(bench: Verdicts) -> None:
    bench.run(())
    bench.con.execute(
        "create table intermediate.int_proposals_checked as select account_id, 'id' || kind || number as "
        "recommendation_id, kind, account_id || kind || number as conflict_key, 'c' || number as customer_id, "
        "'s' || kind || number as subscription_id, false as is_settled, "
        "false as is_stale, false as is_doubted, null::date as cools_until, null as refusal, "
        "null::double as most_share, -number::double as urgency "
        "from (values ('a', 'many', 5000), ('a', 'rare', 100), ('b', 'many', 4000)) as v (account_id, kind, n), "
        "range(1, 5001) as numbers (number) where number <= n"
    )
    bench.con.execute("insert into staging.stg_stripe__customers by name select unnest(['a', 'b']) as account_id, "
                      "'cus' as customer_id, false as is_deleted")  # fmt: skip
    bench.build("intermediate", "int_proposals_resolved")
    found = bench.con.execute(
        "select account_id, kind, verdict, count(*), max(-urgency) from intermediate.int_proposals_resolved "
        "group by all order by all"
    ).fetchall()
    assert found == [
        ("a", "many", "over_share", 1100, 5000.0), ("a", "many", "recommended", 3900, 3900.0),
        ("a", "rare", "recommended", 100, 100.0), ("b", "many", "recommended", 4000, 4000.0),
    ]  # fmt: skip


def test_who_is_held_back_follows_from_a_hash_of_seed_account_customer_and_kind(bench: Verdicts) -> None:
    shares = {"tier_upgrade": 0.3, "invoice_note": 1, "usage_alert": 0, "retry_payment": None}
    names = [f"cus_{number}" for number in range(40)]
    bench.customers(*names)
    for kind, share in shares.items():
        bench.kinds[kind] = {"hold_back_share": share}
        bench.word(f"{kind}_message", "Dear {customer}", subject="Hello")
        for name in names:
            bench.propose(kind, name)
    bench.propose("experiment_price", None)
    bench.kinds["experiment_price"] = {"hold_back_share": 1}
    bench.run()
    rows = bench.rows("from marts.recommendations")
    held = {(row["kind"], row["customer_id"]) for row in rows if row["is_held_back"]}

    def drawn(kind: str, name: str) -> float:
        text = f"{hold_back_seed()} {ACCOUNT} {name} {kind}"
        return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 2**52

    wanted = {("tier_upgrade", name) for name in names if drawn("tier_upgrade", name) < 0.3}
    assert 0 < len(wanted) < 40
    assert held == wanted | {("invoice_note", name) for name in names}
    # nobody else has no draft, and none of them has one
    drafted = {(row["kind"], row["customer_id"]) for row in bench.rows("from marts.customer_messages")}
    everybody = {(kind, name) for kind in shares for name in names}
    assert drafted == everybody - held
    (total,) = (row["text"] for row in bench.rows("from intermediate.int_digest_recommendations where line_number = 1"))
    advised = len(everybody) + 1 - len(held)
    assert total.startswith(f"{advised} recommended, with {len(drafted)} drafts")
    assert f"Held back to measure by: {len(held)}." in total


def test_a_held_back_proposal_keeps_its_place_in_its_group_and_in_the_share(bench: Verdicts) -> None:
    bench.kinds["retention_offer"] = {"hold_back_share": 1, "most_share": 0.5}
    bench.customers("one", "two")
    for customer, urgency in (("one", 2.0), ("two", 1.0)):
        bench.propose("retention_offer", customer, urgency=urgency)
        bench.propose("tier_upgrade", customer)
    assert bench.verdicts() == {
        ("retention_offer", "one"): "recommended", ("retention_offer", "two"): "over_share",
        ("tier_upgrade", "one"): "conflict", ("tier_upgrade", "two"): "conflict",
    }  # fmt: skip


def test_an_alert_stands_against_what_rests_on_it_until_somebody_acknowledges_it(bench: Verdicts) -> None:
    bench.kinds["tier_upgrade"] = {"rests_on": "usage_forecast"}
    bench.kinds["retention_offer"] = {"rests_on": "churn_risk"}
    bench.customers("upgraded", "kept", "noted")
    bench.propose("tier_upgrade", "upgraded")
    bench.propose("retention_offer", "kept")
    bench.propose("invoice_note", "noted")

    def doubted(model: str | None, state: str = "open", acknowledged: bool = False) -> set[str]:
        alert: Row = {"state": state, "is_acknowledged": acknowledged, "model_name": model}
        bench.rows_of["marts.alerts"] = [{"account_id": ACCOUNT} | alert] * 2  # two alerts make no two proposals
        verdicts = bench.verdicts()
        assert len(verdicts) == len(bench.rows("from intermediate.int_proposals_resolved")) == 3
        return {kind for (kind, _), verdict in verdicts.items() if verdict == "doubted"}

    assert doubted("usage_forecast") == {"tier_upgrade"}
    assert doubted("churn_risk") == {"retention_offer"}
    assert doubted("all") == {"tier_upgrade", "retention_offer", "invoice_note"}
    assert doubted(None) == doubted("usage_forecast", "closed") == doubted("all", acknowledged=True) == set()


def test_what_rests_on_scores_of_an_earlier_day_or_on_none_is_stale(bench: Verdicts) -> None:
    bench.kinds["tier_upgrade"] = {"rests_on": "usage_forecast"}
    bench.kinds["retention_offer"] = {"rests_on": "churn_risk"}
    bench.customers("upgraded", "kept", "noted", "old")
    bench.propose("tier_upgrade", "upgraded")
    bench.propose("retention_offer", "kept")
    bench.propose("invoice_note", "noted")
    bench.propose("invoice_note", "old", as_of=day(-1))
    bench.rows_of["staging.stg_ml__usage_forecast"][0]["as_of"] = day(-1)
    stale = {kind for kind, verdict in bench.verdicts().items() if verdict == "stale"}
    assert stale == {("tier_upgrade", "upgraded"), ("invoice_note", "old")}
    bench.add("staging.stg_ml__usage_forecast", as_of=AS_OF)
    bench.rows_of["staging.stg_ml__churn_risk"] = []
    stale = {kind for kind, verdict in bench.verdicts().items() if verdict == "stale"}
    assert stale == {("retention_offer", "kept"), ("invoice_note", "old")}


def test_nobody_pays_so_much_less_that_the_margin_falls_below_the_rule(bench: Verdicts) -> None:
    bench.add("seeds.price_rules", rule="min_margin", value="0.30")
    # revenue, change, cost: what is left of what is paid afterwards
    cases = {
        "exact": (2000000, -1000000, 700000), "below": (2000000, -1000000, 700001), "none": (100000, -100000, 1),
        "negative": (100000, -150000, 30000), "free": (100000, -100000, 0), "unknown": (100000, -90000, None),
        "dearer": (100000, 1, 99999), "gift": (100000, 0, 99999),
    }  # fmt: skip
    for customer, (revenue, change, cost) in cases.items():
        bench.customers(customer)
        margin: Row = {"customer_id": customer, "currency": "usd", "monthly_revenue_minor": revenue}
        bench.add("intermediate.int_customer_margins", **margin, monthly_cost_minor=cost)
        # of another currency: it says nothing
        bench.add("intermediate.int_customer_margins", **margin | {"currency": "jpy"}, monthly_cost_minor=10**9)
        bench.propose("right_size_downgrade", customer, monthly_change_minor=change)
    verdicts = {customer: verdict for (_, customer), verdict in bench.verdicts().items()}
    refused = {customer for customer, verdict in verdicts.items() if verdict == "refused"}
    assert refused == {"below"}
    bench.run()
    margins = {row["customer_id"]: row["margin"] for row in bench.rows("from marts.recommendations")}
    assert margins["exact"] == Decimal("0.3")
    # usage is about to grow, and the move takes off more than the last bill was: its margin cannot be said
    assert [margins[customer] for customer in ("none", "negative", "free", "unknown")] == [None] * 4
    (why,) = (row["why"] for row in bench.rows("from marts.recommendations_withheld where customer_id = 'below'"))
    assert "min_margin" in why
    bench.rows_of["seeds.price_rules"] = []
    assert set(bench.verdicts().values()) == {"recommended"}


def test_a_conflict_names_what_goes_first(bench: Verdicts) -> None:
    bench.customers("one", "done")
    for customer in ("one", "done"):
        bench.propose("retention_offer", customer)
        bench.propose("tier_upgrade", customer, urgency=9.0)
    bench.propose("usage_alert", "one", subject_id="si_a", urgency=0.1)
    bench.propose("usage_alert", "one", subject_id="si_b", urgency=0.2)
    first = {"one": bench.id_of("retention_offer", "one"), "done": bench.id_of("tier_upgrade", "done")}
    bench.decide("tier_upgrade", "done", first["done"])
    bench.run()
    withheld = {(row["kind"], row["customer_id"]): row for row in bench.rows("from marts.recommendations_withheld")}
    upgrade, offer, alert = (
        withheld[key] for key in (("tier_upgrade", "one"), ("retention_offer", "done"), ("usage_alert", "one"))
    )
    assert (upgrade["verdict"], upgrade["preferred_recommendation_id"]) == ("conflict", first["one"])
    assert "(retention offer)" in upgrade["why"]
    assert (offer["verdict"], offer["preferred_recommendation_id"]) == ("conflict", first["done"])
    assert (alert["subject_id"], alert["verdict"]) == ("si_a", "conflict")
    assert withheld["tier_upgrade", "done"]["preferred_recommendation_id"] is None


def test_an_experiments_price_is_about_no_customer_and_conflicts_with_nothing(bench: Verdicts) -> None:
    bench.customers("cus", livemode=True)
    bench.propose("experiment_price", None, subject_id="price_a")
    bench.propose("experiment_price", None, subject_id="price_b")
    bench.propose("tier_upgrade", "nobody")  # who is gone
    bench.word("experiment_price_message", "Dear {customer}", subject="Hello")
    bench.run()
    found = bench.rows("from marts.recommendations")
    assert [(row["kind"], row["customer_id"], row["livemode"]) for row in found] == [
        ("experiment_price", None, True)
    ] * 2
    assert bench.rows("from marts.customer_messages") == []
