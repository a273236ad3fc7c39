"""What holds over all actions together: caps, the brake; and the way back from an action."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.approval import decline
from actions.errors import (
    CannotUndo,
    CapReached,
    NotApproved,
    UnusualPlan,
)
from actions.governance import DAY_US, check_caps
from actions.plan import plan_undo
from actions.policy import Policy, read_policy
from actions.record import Result
from actions.state import load
from tests.actions.conftest import ME, WALL_US, Desk, credit, recommendation

POLICY = read_policy()


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def credits_of(*amounts: int, **more: Any) -> list[dict[str, Any]]:
    return [credit(amount_minor=a, params=credit()["params"].replace("-1200", str(-a)), **more) for a in amounts]


def capped(actions: int = 200, usd: int = 10**6, per: str = "day") -> Policy:
    cap = POLICY.caps[per] | {"actions": actions, "amount_minor": POLICY.caps[per]["amount_minor"] | {"usd": usd}}
    return replace(POLICY, caps=POLICY.caps | {per: cap})


def ends(results: list[Result]) -> list[str]:
    return [result.end for result in results]


@pytest.mark.parametrize(
    ("policy", "done"),
    [
        (capped(actions=2), 2), (capped(usd=2400), 2), (capped(usd=2399), 1), (capped(usd=1199), 0),
        (capped(actions=2, per="customer_in_30_days"), 2), (capped(usd=3599, per="customer_in_30_days"), 2),
        (replace(POLICY, caps=POLICY.caps | {"kind_in_a_day": {"courtesy_credit": capped(actions=1).caps["day"]}}), 1),
        (replace(POLICY, caps=POLICY.caps | {"kind_in_a_day": {"tier_upgrade": capped(actions=0).caps["day"]}}), 3),
        (POLICY, 3),
    ],
)  # fmt: skip
def test_a_cap_stops_the_action_that_would_pass_it_before_anything_is_sent(
    desk: Desk, policy: Policy, done: int
) -> None:
    desk.rules = policy
    desk.approved(*credits_of(1200, 1200, 1200))
    results = desk.apply()
    assert sorted(ends(results)) == ["done"] * done + ["refused"] * (3 - done)
    assert all("at most" in result.words for result in results if result.end == "refused")
    assert desk.world.writes == done


def test_what_nobody_knows_counts_as_spent_and_what_stripe_refused_does_not(desk: Desk) -> None:
    desk.rules = capped(actions=1)
    desk.approved(*credits_of(1000, 1001, 1002))
    desk.world.faults = ["400"]
    assert ends(desk.apply()) == ["failed", "done", "refused"]
    desk.now_us += DAY_US
    desk.approved(*credits_of(1003, 1004))
    desk.world.faults = ["drop before"] * 4
    results = desk.apply()
    assert "ambiguous" in ends(results)
    assert not [result for result in results if result.end == "done"]


@pytest.mark.parametrize(("per", "sent_us", "free_us"), [("day", -1, 0), ("customer_in_30_days", 0, 30 * DAY_US)])
def test_a_day_begins_at_midnight_utc_and_a_month_has_thirty_days(
    desk: Desk, per: str, sent_us: int, free_us: int
) -> None:
    midnight = WALL_US - WALL_US % DAY_US + DAY_US
    desk.rules, desk.now_us = capped(1, per=per), midnight + sent_us
    first, second = desk.approved(*credits_of(1000, 1001))
    assert ends(desk.apply(ids=(first.action_id,))) == ["done"]
    desk.now_us = midnight + free_us - 1
    with pytest.raises(CapReached):
        check_caps(desk.ledger(), desk.rules, second)
    desk.now_us += 1
    check_caps(desk.ledger(), desk.rules, second)


FAULTS = ["", "400", "500 after, kept", "drop before"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from(["", "400", "500 after, kept", "drop before"])),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_happens_a_day_never_holds_more_than_its_cap(desk: Desk, orders: list[tuple[int, str]]) -> None:
    desk.rules, desk.now_us = capped(actions=4, usd=900), desk.now_us + 40 * DAY_US
    desk.publish(*credits_of(*(amount for amount, _ in orders)), run_id=f"run-{desk.now_us}")
    desk.approve(*(action for action, _ in desk.plan().new))
    desk.world.faults = [fault for _, fault in orders if fault]
    desk.apply()
    ledger = desk.ledger()
    today = desk.now_us - desk.now_us % DAY_US
    sent = [event for event in ledger.events() if event.kind == "outcome" and event.at_us >= today]
    assert len(sent) <= 4
    assert sum(event.amount_minor or 0 for event in sent) <= 900
    open_ones = [action.action_id for action in desk.actions() if action.state in ("approved", "planned")]
    decline(ledger, open_ones, "next case", ME)


def test_an_undo_is_not_held_up_by_caps_and_takes_as_many_people(desk: Desk) -> None:
    desk.rules = capped(actions=1)
    (done,) = desk.approved(credit())
    assert ends(desk.apply()) == ["done"]
    ledger = desk.ledger()
    undo = plan_undo(ledger, capped(actions=1), load(ledger, done.action_id), "wrong customer", ME)
    assert undo.plan["undoes"] == done.action_id
    assert (undo.verdict["approvers"], undo.planned.amount_minor) == (1, 0)
    with pytest.raises(NotApproved, match="is that already"):
        plan_undo(ledger, POLICY, load(ledger, done.action_id), "again", ME)
    desk.approve(undo)
    assert ends(desk.apply()) == ["done"]
    assert [action.state for action in desk.actions()] == ["undone", "done"]
    with pytest.raises(NotApproved, match="is undone"):
        plan_undo(ledger, POLICY, load(ledger, done.action_id), "again", ME)
    desk.publish(run_id="run-2")
    desk.plan()
    assert [action.state for action in desk.actions()] == ["undone", "done"]


def test_what_only_records_a_decision_cannot_be_undone(desk: Desk) -> None:
    sent = {"template": "t", "locale": "en", "text_hash": "h1:0"}
    held = {"customer": "cus_1", "currency": "usd", "livemode": False}
    desk.approved(recommendation("customer_message", sent, held, amount_minor=0))
    assert ends(desk.apply()) == ["done"]
    with pytest.raises(CannotUndo):
        plan_undo(desk.ledger(), POLICY, desk.actions()[0], "never mind", ME)


def test_the_brake_holds_what_is_unusual_until_the_number_is_said(desk: Desk) -> None:
    desk.publish(*credits_of(*range(1000, 1021)))
    with pytest.raises(UnusualPlan, match="plan --expect 21"):
        desk.plan()
    assert desk.kinds() == []
    with pytest.raises(UnusualPlan):
        desk.plan(expect=20)
    assert len(desk.plan(expect=21).new) == 21


def test_a_draft_beside_a_plan_is_no_second_plan_for_the_brake(desk: Desk) -> None:
    sent, held = {"template": "t", "locale": "en"}, {"customer": "cus_1", "currency": "usd", "livemode": False}
    drafts = [
        recommendation("customer_message", sent | {"text_hash": f"h1:{number}"}, held, amount_minor=0)
        for number in range(20)
    ]
    desk.publish(*credits_of(*range(1000, 1020)), *drafts)
    assert len(desk.plan().new) == 40


def test_small_runs_of_one_publication_are_no_way_around_the_brake(desk: Desk) -> None:
    desk.publish(*credits_of(*range(1000, 1030)))
    assert len(desk.plan(limit=20).new) == 20
    with pytest.raises(UnusualPlan):
        desk.plan(limit=1)


@pytest.mark.parametrize(
    ("earlier", "count", "customers", "is_held"),
    [
        ([], 20, 1, False), ([], 21, 2, False), ([], 21, 1, True), ([10], 30, 9, False), ([10], 31, 9, True),
        ([1, 2, 50], 21, 9, True), ([7, 7, 50], 21, 9, False), ([2, 8], 24, 9, False), ([9], 27, 1, True),
    ],
)  # fmt: skip
def test_unusual_is_over_three_times_the_median_or_over_half_of_the_customers(
    desk: Desk, earlier: list[int], count: int, customers: int, is_held: bool
) -> None:
    amounts = itertools.count(1000)
    for number, size in enumerate((*earlier, count)):
        desk.publish(*credits_of(*itertools.islice(amounts, size)), run_id=f"run-{number}")
        with duckdb.connect(str(desk.settings.published)) as db:
            db.execute("insert into marts.dim_customers select 'acct', i from range(?) as r(i)", [customers])
        if number == len(earlier) and is_held:
            with pytest.raises(UnusualPlan):
                desk.plan()
        else:
            desk.plan(expect=size if number < len(earlier) else None)
