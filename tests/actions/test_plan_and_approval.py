"""From recommendation to plan to a person's word on it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from actions.apply import Runner
from actions.approval import decline
from actions.clock import HOUR_US
from actions.errors import BadRecommendation, Locked, NotApproved, NotPublished, UnknownAction
from actions.policy import read_policy
from actions.port import StripeWriter
from actions.state import Actor, find, load, short_ids
from tests.actions.conftest import ME, Desk, credit, offer, recommendation, upgrade
from tests.actions.fault_server import CUSTOMER
from tests.commands import ROOT


def test_the_same_publication_is_planned_once(desk: Desk) -> None:
    desk.publish(credit(), upgrade(), offer())
    assert len(desk.plan().new) == 3
    again = desk.plan()
    assert again.new == []
    assert again.left == {"planned already": 3}
    assert desk.kinds() == ["planned"] * 3


def test_a_changed_recommendation_supersedes_its_plan_and_voids_the_approval(desk: Desk) -> None:
    row = credit()
    (old,) = desk.approved(row)
    params = json.loads(row["params"]) | {"amount": -1300}
    desk.publish(row | {"params": json.dumps(params), "amount_minor": 1300}, run_id="run-2")
    ((new, _),) = desk.plan().new
    assert new.action_id != old.action_id
    assert [action.state for action in desk.actions()] == ["superseded", "planned"]


def test_new_evidence_alone_keeps_plan_and_approval(desk: Desk) -> None:
    row = credit()
    desk.approved(row)
    news = {
        "evidence": '{"z": 4}',
        "model_version": "4",
        "expires_at": "2026-11-20",
        "risk_score": 0.4,
        "pct_change": 2,
    }
    desk.publish(row | news | {"customer_tier": "strategic", "expected_value_minor": 7}, run_id="run-2")
    assert desk.plan().new == []
    assert desk.actions()[0].state == "approved"


def test_facts_that_return_get_a_new_plan_not_the_old_approval(desk: Desk) -> None:
    row, other = credit(), credit()
    desk.approved(row)
    desk.publish(other, run_id="run-2")
    desk.plan()
    desk.publish(row, other, run_id="run-3")
    ((new, _),) = desk.plan().new
    assert new.recommendation_id == row["recommendation_id"]
    assert new.state == "planned"


def test_what_is_not_wanted_or_not_allowed_is_left_and_counted(desk: Desk) -> None:
    big = {"amount": -60_000, "currency": "usd", "customer": CUSTOMER, "description": "x"}
    desk.publish(
        credit(is_held_back=True),
        credit(expires_at="2026-10-31 00:00:00"),
        recommendation("courtesy_credit", big, json.loads(credit()["precondition"]), amount_minor=60_000),
        credit(kind="write_off"),
        credit(),
        credit(),
    )
    report = desk.plan(limit=1)
    assert len(report.new) == 1
    assert report.left == {
        "held back as a control group": 1,
        "expired": 1,
        "rule 'courtesy credits up to 500 in dollars and euros': its amount_minor may be upto 50000": 1,
        "no rule allows a write_off like this": 1,
        "over the limit": 1,
    }


@pytest.mark.parametrize(
    "row",
    [
        credit(amount_minor=1),
        credit(params="{"),
        credit(precondition=json.dumps({"customer": "cus_2", "currency": "usd", "livemode": False})),
        credit(account_id="acct_other"),
        upgrade(params=json.dumps({"items": [{"price": "p"}], "proration_behavior": "none", "subscription": "sub_1"})),
        credit(params=json.dumps({"amount": -12.5, "currency": "usd", "customer": CUSTOMER, "description": "x"})),
    ],
)
def test_a_row_that_breaks_its_contract_stops_the_plan_before_anything_is_written(
    desk: Desk, row: dict[str, object]
) -> None:
    desk.publish(credit(), row)
    with pytest.raises(BadRecommendation):
        desk.plan()
    assert desk.kinds() == []


def test_two_rows_with_one_id_stop_the_plan(desk: Desk) -> None:
    row = credit()
    desk.publish(row, row)
    with pytest.raises(BadRecommendation, match="twice"):
        desk.plan()


def test_a_replan_after_an_unknown_outcome_never_pays_twice(desk: Desk) -> None:
    row = credit()
    (first,) = desk.approved(row)
    desk.world.faults = ["500 after, kept"]
    desk.world.get_faults = ["", "", "drop"]  # account and customer are read, the search for the effect is not
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    params = json.loads(row["params"]) | {"amount": -1300}
    desk.publish(row | {"params": json.dumps(params), "amount_minor": 1300}, run_id="run-2")
    assert desk.plan().left == {"sent, end unknown: run apply": 1}
    assert [result.end for result in desk.apply()] == ["done"]
    assert desk.plan().left == {"done already": 1}
    assert desk.world.effects == {first.action_id: 1}


def test_a_second_plan_of_a_recommendation_is_stopped_by_the_intent_of_the_first(desk: Desk) -> None:
    """The last line of defence: both are approved, as two processes that plan at once could bring about."""
    (first,) = desk.approved(credit())
    ledger = desk.ledger()
    with ledger.write():
        twin = replace(first.planned, action_id=f"{first.recommendation_id}-twin", plan_hash="h1:twin")
        ledger.append(twin)
    desk.approve(load(ledger, twin.action_id or ""))
    desk.world.faults = ["drop before"] * 4
    assert [(result.end, "the same customer" in result.words) for result in desk.apply()] == [
        ("ambiguous", False),
        ("ambiguous", True),
    ]
    assert [result.end for result in desk.apply()] == ["done", "refused"]
    assert desk.world.effects == {first.action_id: 1}


def test_a_licensed_item_keeps_its_quantity_when_its_price_changes(desk: Desk) -> None:
    desk.approved(upgrade())
    desk.apply()
    items = {item["id"]: item for item in desk.world.subscription["items"]["data"]}
    assert (items["si_1"]["price"]["id"], items["si_1"]["quantity"]) == ("price_11", 3)
    assert (items["si_2"]["price"]["id"], items["si_2"]["quantity"]) == ("price_12", None)


@pytest.mark.parametrize(("late_us", "end"), [(-1, "done"), (0, None), (1, None)])
def test_an_approval_ends_to_the_microsecond(desk: Desk, late_us: int, end: str | None) -> None:
    (planned,) = desk.approved(credit())
    desk.now_us += 72 * HOUR_US + late_us
    if end:
        desk.apply()
    else:
        with pytest.raises(NotApproved):
            desk.apply(ids=(planned.action_id,))
    assert desk.actions()[0].state == (end or "expired")
    assert desk.world.writes == (1 if end else 0)


def test_after_an_approval_has_ended_the_same_facts_can_be_approved_again(desk: Desk) -> None:
    desk.approved(credit())
    desk.now_us += 73 * HOUR_US
    ((again, _),) = desk.plan().new
    desk.approve(again)
    assert [result.end for result in desk.apply()] == ["done"]


def test_one_decline_outweighs_every_approval(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    desk.approve(planned, actor=Actor("grace", "os_user"))
    ledger = desk.ledger()
    decline(ledger, [planned.action_id], "not now", Actor("joan", "stated"))
    with pytest.raises(NotApproved, match="declined"):
        desk.apply(ids=(planned.action_id,))
    assert desk.plan().left == {"declined already": 1}


def test_an_approval_withdrawn_at_the_last_moment_is_noticed_by_the_intent(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    ledger = desk.ledger()
    approved = load(ledger, planned.action_id)
    decline(ledger, [planned.action_id], "stop", ME)
    runner = Runner(ledger, StripeWriter("rk_test_x", desk.settings, desk.clock), read_policy(), ME, False)
    assert runner.run(approved, True).end == "refused"
    assert desk.world.writes == 0


def test_a_person_approves_a_plan_once(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    with pytest.raises(NotApproved, match="already"):
        desk.approve(planned)


def test_the_shortest_unique_beginning_of_an_id_is_enough(desk: Desk) -> None:
    desk.publish(*(credit(recommendation_id=f"h1:{'ab' * 8}{n:016x}") for n in range(3)))
    desk.plan()
    actions = desk.actions()
    shorts = short_ids(actions)
    assert [find(actions, shorts[action.action_id]) for action in actions] == actions
    assert [find(actions, "h1:" + shorts[action.action_id]) for action in actions] == actions
    for wrong in ("abab", "", "zz"):
        with pytest.raises(UnknownAction):
            find(actions, wrong)


def test_without_a_publication_the_next_step_is_named(desk: Desk) -> None:
    with pytest.raises(NotPublished, match="make run"):
        desk.plan()


def test_a_locked_publication_names_the_process_after_half_a_minute(desk: Desk) -> None:
    desk.publish(credit())
    hold = f"db = duckdb.connect({str(desk.settings.published)!r})"
    code = f"import duckdb, sys; {hold}; print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=-1, stdout=-1, text=True)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        with pytest.raises(Locked, match=f"PID {holder.pid}"):
            desk.plan()
    finally:
        holder.stdin.close()
        holder.wait(timeout=30)
    assert sum(desk.slept) == 30


def test_an_edited_policy_voids_what_was_planned_under_the_old_one(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    policy = replace(read_policy(), hash="h1:other")
    runner = Runner(desk.ledger(), StripeWriter("rk_test_x", desk.settings, desk.clock), policy, ME, False)
    assert runner.run(planned, True).end == "refused"
    assert desk.world.writes == 0
