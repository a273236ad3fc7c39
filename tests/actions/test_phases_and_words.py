"""Phases and what earns them, reviews, and whose word counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from actions.approval import approve, decline, review
from actions.clock import HOUR_US
from actions.errors import NotApproved, NotPromoted, UnknownAction
from actions.governance import DAY_US, agreement, lacking, phase
from actions.plan import plan_phase_change
from actions.policy import read_policy
from actions.state import Action, Actor, load
from tests.actions.conftest import ME, Desk, credit
from tests.actions.fault_server import World
from tests.actions.test_governance import credits_of, ends

GRACE, JOAN = Actor("grace", "os_user", 1001), Actor("joan", "os_user", 1002)
POLICY = read_policy()
LEAST = {"days": 2, "reviewed": 3, "agreement": "0.6", "approvers": 1}
EASY = replace(POLICY, promotion={"assisted": LEAST, "auto": LEAST | {"approvers": 2}})
LABEL = {"name": "credits need nobody", "when": {"kinds": ["courtesy_credit"]}, "then": {"auto": True}}


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def live(desk: Desk) -> Desk:
    desk.world, desk.rules = World(livemode=True), EASY
    return desk


def live_credit(**more: Any) -> dict[str, Any]:
    row = credit(livemode=True, **more)
    return row | {"precondition": row["precondition"].replace("false", "true")}


def earned(desk: Desk, first: Action) -> None:
    """Two days and three agreeing reviews."""
    desk.now_us += 2 * DAY_US
    ledger = desk.ledger()
    for action in [*desk.actions()][-3:]:
        review(ledger, action.action_id, "agree", "as I would", GRACE)
    assert agreement(ledger, first.kind).reviewed >= 3


def test_a_live_kind_begins_in_shadow_and_is_sent_only_after_it_earned_it(desk: Desk) -> None:
    desk = live(desk)
    first, *_ = desk.approved(live_credit(), live_credit(), live_credit())
    assert "phase shadow" in desk.apply()[0].words
    assert desk.world.writes == 0
    ledger = desk.ledger()
    assert lacking(ledger, EASY, "courtesy_credit", "assisted") == [
        "0 days of use in shadow, expected 2", "0 reviewed, expected 3",
    ]  # fmt: skip
    assert lacking(ledger, EASY, "courtesy_credit", "auto")[0] == "it is in phase shadow, expected assisted"
    assert set(ends(desk.apply(send=False))) == {"shadowed"}
    desk.now_us += 2 * DAY_US - 1  # and back, so that the approvals stand
    assert lacking(ledger, EASY, "courtesy_credit", "assisted")[0] == "1 days of use in shadow, expected 2"
    desk.now_us -= 2 * DAY_US - 1
    earned(desk, first)
    change = plan_phase_change(ledger, EASY, "courtesy_credit", "assisted", "two good days", ME)
    assert change is not None
    with pytest.raises(NotApproved, match="proposed by ada"):
        desk.approve(change)
    desk.approve(change, actor=GRACE)
    assert ends(desk.apply(ids=(change.action_id,))) == ["done"]
    assert phase(ledger, EASY, "courtesy_credit") == "assisted"
    assert phase(ledger, EASY, "tier_upgrade") == "shadow"
    assert set(ends(desk.apply())) == {"done"}


def test_one_wrong_that_nobody_took_back_keeps_a_kind_where_it_is(desk: Desk) -> None:
    desk = live(desk)
    first, *_ = desk.approved(live_credit(), live_credit(), live_credit())
    desk.apply(send=False)
    earned(desk, first)
    ledger = desk.ledger()
    change = plan_phase_change(ledger, EASY, "courtesy_credit", "assisted", "good", ME)
    assert change is not None
    desk.approve(change, actor=GRACE)
    review(ledger, first.action_id, "wrong", "already compensated", JOAN)
    assert "1 found wrong" in desk.apply(ids=(change.action_id,))[0].words
    assert phase(ledger, EASY, "courtesy_credit") == "shadow"
    review(ledger, first.action_id, "edited", "half of it is right", JOAN)
    assert agreement(ledger, "courtesy_credit").words == 4
    assert agreement(ledger, "courtesy_credit").agreed == 3
    assert ends(desk.apply(ids=(change.action_id,))) == ["done"]


def test_auto_needs_a_rule_two_people_and_is_over_at_once_when_a_person_says_so(desk: Desk) -> None:
    desk.rules = rules = replace(EASY, rule=[LABEL], phase={"test": "assisted", "live": "shadow"})
    first, *_ = desk.approved(*credits_of(1000, 1001, 1002))
    assert first.verdict["approvers"] == 1
    assert set(ends(desk.apply())) == {"done"}
    earned(desk, first)
    ledger = desk.ledger()
    assert lacking(ledger, EASY, "courtesy_credit", "auto") == ["no rule of policy.toml has auto for it"]
    change = plan_phase_change(ledger, rules, "courtesy_credit", "auto", "it is always right", ME)
    assert change is not None
    desk.approve(change, actor=GRACE)
    assert load(ledger, change.action_id).state == "planned"
    desk.approve(change, actor=JOAN)
    assert ends(desk.apply()) == ["done"]
    desk.publish(*credits_of(1003), run_id="run-2")
    ((auto, _),) = desk.plan().new
    assert (auto.state, auto.verdict["approvers"], auto.approvals[0].actor_assurance) == ("approved", 0, "service")
    assert plan_phase_change(ledger, rules, "courtesy_credit", "shadow", "too generous", ME) is None
    assert "phase shadow" in desk.apply()[0].words
    assert lacking(ledger, rules, "courtesy_credit", "assisted")[0].startswith("0 days of use in shadow")


def test_a_kind_that_no_rule_names_is_never_promoted(desk: Desk) -> None:
    desk.publish()
    desk.plan()
    ruled = [rule for rule in EASY.rule if "courtesy_credit" not in rule["when"]["kinds"]]
    with pytest.raises(NotPromoted, match="no rule"):
        plan_phase_change(desk.ledger(), replace(EASY, rule=ruled), "courtesy_credit", "assisted", "please", ME)


def test_a_review_is_of_an_action_or_an_explanation_and_the_newest_word_of_a_person_counts(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    ledger = desk.ledger()
    for verdict, person in (("wrong", ME), ("agree", GRACE), ("agree", ME)):
        review(ledger, planned.action_id, verdict, "so it is", person)
    found = agreement(ledger, "courtesy_credit")
    assert (found.reviewed, found.agreed, found.words, found.wrong) == (1, 2, 2, 0)
    assert review(ledger, "in_7", "edited", "clearer words", ME).object_id == "in_7"
    assert agreement(ledger, "invoice_explanation").reviewed == 1
    assert load(ledger, planned.action_id).state == "approved"
    with pytest.raises(UnknownAction):
        review(ledger, "h1:none", "agree", "yes", ME)
    with pytest.raises(NotApproved):
        review(ledger, planned.action_id, "maybe", "who knows", ME)


def test_two_approvals_are_of_two_people_not_of_two_names(desk: Desk) -> None:
    desk.rules = replace(POLICY, rule=[LABEL | {"then": {"approvers": 2, "hours": 24}}])
    (planned,) = desk.approved(credit())
    renamed = replace(GRACE, name="hopper")
    desk.approve(planned, actor=GRACE)
    assert desk.actions()[0].state == "approved"
    with pytest.raises(NotApproved, match="already"):
        desk.approve(planned, actor=renamed)
    with pytest.raises(NotApproved, match="operating system"):
        desk.approve(planned, actor=Actor("joan", "stated"))


def test_a_stricter_policy_makes_a_new_plan_and_voids_the_approvals_of_the_old_one(desk: Desk) -> None:
    row = credit(source_event_id="spike:1")
    (old,) = desk.approved(row)
    desk.rules = replace(POLICY, hash="h1:new", rule=[*POLICY.rule, LABEL | {"then": {"approvers": 2, "hours": 24}}])
    ((new, _),) = desk.plan().new
    assert [action.state for action in desk.actions()] == ["superseded", "planned"]
    assert (new.planned.plan_hash, new.needed) != (old.planned.plan_hash, old.needed)
    assert new.verdict == {"approvers": 2, "hours": 24, "rules": [POLICY.rule[0]["name"], LABEL["name"]]}
    assert new.plan["case"]["amount_minor"] == "1200"
    assert new.plan["reasoning"][-1] == "credits need nobody: always: 2 approver(s), 24 h"
    assert new.planned.source_event_id == "spike:1"
    desk.rules = replace(desk.rules, rule=[LABEL | {"then": {"deny": True}}])
    assert desk.plan().left == {"rule 'credits need nobody': never": 1}
    assert desk.actions()[-1].state == "superseded"


@pytest.mark.parametrize(("late_us", "end"), [(-1, "done"), (0, None), (1, None)])
def test_of_two_approvals_the_first_to_end_decides(desk: Desk, late_us: int, end: str | None) -> None:
    desk.rules = replace(POLICY, rule=[LABEL | {"then": {"approvers": 2, "hours": 24}}])
    (planned,) = desk.approved(credit())
    desk.now_us += HOUR_US
    desk.approve(planned, actor=GRACE)
    desk.now_us += 23 * HOUR_US + late_us
    assert desk.actions()[0].state == ("approved" if end else "expired")


def test_a_batch_is_approved_whole_or_not_at_all(desk: Desk) -> None:
    desk.publish(*credits_of(1000, 1001, 1002))
    ids = [action.action_id for action, _ in desk.plan().new]
    ledger = desk.ledger()
    decline(ledger, ids[2:], "not this one", ME)
    with pytest.raises(NotApproved, match="is declined"):
        approve(ledger, POLICY, ids, "all of them", ME)
    assert [action.state for action in desk.actions()] == ["planned", "planned", "declined"]
    done = approve(ledger, POLICY, ids[:2], "these two", ME)
    batches = [action.approvals[0].facts["batch"] for action in done]
    assert batches[0] == batches[1]
    assert batches[0]["size"] == 2


def test_nothing_but_kinds_and_invoice_ids_gets_into_the_ledger_as_a_name(desk: Desk) -> None:
    desk.approved(credit())
    ledger = desk.ledger()
    before = ledger.last().seq
    for name, wanted in product(("ada@example.com", "phase_change", ""), ("shadow", "assisted", "auto")):
        with pytest.raises(NotPromoted, match="no kind that has phases; expected one of"):
            plan_phase_change(ledger, POLICY, name, wanted, "because", GRACE)
    for subject in ("in_ada@example.com", "in_", "in_1\x1b[2J", "in_" + "x" * 61, ""):
        with pytest.raises(UnknownAction, match="neither an action nor an invoice"):
            review(ledger, subject, "wrong", "because", GRACE)
    assert ledger.last().seq == before
    ledger.close()
