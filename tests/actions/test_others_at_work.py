"""What another process, a proxy, or a person's slip may do to an action that is under way: never a second effect, none
that nobody recorded, no success that was none, and no customer held up for good.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from actions.apply import Runner
from actions.clock import HOUR_US, SECOND_US
from actions.errors import ActionError, AlreadyClaimed, BadRecommendation, NotApproved, StripeUnusable
from actions.executors.shapes import check_shape
from actions.guard import retry
from actions.ids import canon
from actions.ledger import Event, no_point
from actions.plan import plan_undo
from actions.state import Action, Actor, derive, load
from tests.actions.conftest import ME, Desk, credit
from tests.actions.fault_server import Answer
from tests.actions.harness import Crash
from tests.actions.rows import courtesy, quote
from tests.actions.rows import retry as retry_row
from tests.actions.scenarios import capped

BALANCE = "/v1/customers/cus_1/balance_transactions"


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def runner(desk: Desk, send: bool = True, point: Callable[[str], None] = no_point) -> Runner:
    return Runner(desk.ledger(), desk.port(send), desk.policy(), ME, False, point)


def one(desk: Desk) -> Action:
    return desk.actions()[0]


def dies_before_the_call(name: str) -> None:
    if name == "call":
        raise Crash(name)


def interrupted(desk: Desk, **columns: Any) -> Action:
    """An intent on disk, its call never made."""
    desk.approved(credit(**columns))
    with suppress(Crash):
        desk.apply(point=dies_before_the_call)
    return one(desk)


def begins_again(desk: Desk, back_s: int) -> None:
    """Another process, past the file lock, that is about to send the stored call; its clock is a little behind."""
    with suppress(Crash):
        other = replace(desk, now_us=desk.now_us - back_s * SECOND_US)
        runner(other, point=dies_before_the_call).run(one(other), True)


def test_no_new_key_while_another_process_is_about_to_send_the_old_one(desk: Desk) -> None:
    action = interrupted(desk)
    desk.now_us += 23 * HOUR_US  # too old for this process, a second too young for the other one
    mine = runner(desk)
    begins_again(desk, 1)
    assert mine.run(action, True).words.startswith(f"another process has begun the same step of {action.action_id}")
    assert (len(one(desk).intents), desk.world.writes) == (1, 0)


def test_nothing_is_concluded_over_a_call_that_began_meanwhile(desk: Desk) -> None:
    action = interrupted(desk)
    desk.now_us += HOUR_US
    mine = runner(desk)
    begins_again(desk, 0)
    desk.world.customer["currency"] = "jpy"  # changed a moment after the other one looked
    assert "by another process" in mine.run(action, True).words
    assert one(desk).open_intent == action.open_intent  # not refused: the call may be done any moment


def test_an_old_key_is_not_sent_once_another_process_has_gone_on(desk: Desk) -> None:
    action = interrupted(desk)
    late = runner(desk)  # has looked, and stands still for a day
    desk.now_us += 24 * HOUR_US
    assert [result.end for result in desk.apply()] == ["done"]
    desk.now_us -= 24 * HOUR_US
    intent = action.open_intent
    assert intent is not None
    with pytest.raises(AlreadyClaimed):
        late._drive(late._note(action, intent, None, "sends the stored call again", status=0), intent)
    assert (desk.world.writes, len(desk.world.balance)) == (1, 1)


def test_an_effect_that_stripe_shows_is_recorded_whatever_was_concluded(desk: Desk) -> None:
    action = interrupted(desk)
    late, intent = runner(desk), action.open_intent
    assert intent is not None
    ended: list[str] = []

    def decides(key: str) -> None:
        """A person decides too early, past every check, while the call is on its way."""
        ledger = desk.ledger()
        with ledger.write():
            ledger.append(load(ledger, action.action_id).event("failed", ME, "not there", {}))
        ended.append(one(desk).state)

    desk.world.before_write = decides
    result = late._drive(action, intent)
    assert (ended, result.end, one(desk).state) == (["failed"], "done", "done")
    desk.world.before_write = None
    assert desk.plan().left == {"done already": 1}


def answering(desk: Desk, changed: Callable[[str, str, Answer], Answer]) -> None:
    """Something between us and Stripe changes the answers: method, path, answer → answer."""
    handle = desk.world.handle

    def handled(method: str, target: str, form: str, key: str) -> Answer:
        return changed(method, target.partition("?")[0], handle(method, target, form, key))

    desk.world.handle = handled  # type: ignore[method-assign] # something in between


@pytest.mark.parametrize(
    "body",
    [
        {"id": "cbtxn_77", "object": "customer_balance_transaction", "metadata": {"meterwise_action": "h1:other"}},
        {"id": "cbtxn_77", "object": "customer_balance_transaction"}, {"id": "x" * 70_000}, {"id": {"a": 1}},
    ],
)  # fmt: skip
def test_a_200_for_another_object_is_no_success(desk: Desk, body: dict[str, Any]) -> None:
    """A cache that mixes answers up: nothing was carried out."""
    desk.approved(credit())
    write = desk.world._post
    desk.world._post = lambda path, form, key: Answer(200, body)  # type: ignore[method-assign] # something in between
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    assert one(desk).made == {}
    desk.world._post = write  # type: ignore[method-assign] # something in between
    assert [result.end for result in desk.apply()] == ["done"]
    assert len(desk.world.balance) == 1


def test_an_answer_of_the_other_mode_is_no_success(desk: Desk) -> None:
    desk.approved(credit())
    answering(
        desk,
        lambda method, path, answer: (
            replace(answer, body=answer.body | {"livemode": True}) if (method, path) == ("POST", BALANCE) else answer
        ),
    )
    assert "reconciled" in [event.kind for event in desk.apply()[0].action.events]  # looked for, not believed


def test_the_answer_to_a_verb_is_of_the_object_it_was_said_to(desk: Desk) -> None:
    desk.approved(quote())
    answering(
        desk, lambda method, path, answer: replace(answer, body=answer.body | {"id": "qt_999"})
        if path.endswith("/finalize") else answer,
    )  # fmt: skip
    (result,) = desk.apply()
    assert result.end == "done"  # looked for and found, under its own id
    assert one(desk).made == {0: one(desk).made[0], 1: one(desk).made[0]}
    assert [event.kind for event in one(desk).events][-1] == "reconciled"


@pytest.mark.parametrize("page", [{}, {"object": "list"}, {"id": "cus_1", "object": "customer"}])
def test_an_answer_that_is_no_list_does_not_say_that_nothing_is_there(desk: Desk, page: dict[str, Any]) -> None:
    desk.approved(credit())
    desk.world.faults = ["500 after, kept"]
    answering(desk, lambda method, path, answer: Answer(200, page) if (method, path) == ("GET", BALANCE) else answer)
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    desk.now_us += 25 * HOUR_US
    desk.apply()
    assert (len(desk.world.balance), len(one(desk).intents)) == (1, 1)


def test_a_404_that_is_not_stripes_does_not_say_so_either(desk: Desk) -> None:
    answering(desk, lambda method, path, answer: Answer(404, {}, "garbage"))
    with pytest.raises(StripeUnusable, match="404"):
        list(desk.port(False).list(BALANCE))


@pytest.mark.parametrize("headers", [{"Date": "soon"}, {"Date": ""}, {"Retry-After": "²"}, {"Retry-After": "Mon"}])
def test_headers_that_cannot_be_read_lose_no_answer(desk: Desk, headers: dict[str, str]) -> None:
    desk.approved(credit())
    answering(desk, lambda method, path, answer: replace(answer, more=answer.more | headers))
    assert [result.end for result in desk.apply()] == ["done"]


def test_a_refusal_with_endless_words_is_recorded(desk: Desk) -> None:
    desk.approved(credit())
    error = {"error": {"type": "x", "code": "y" * 70_000, "param": {"a": 1.5, "b": "z" * 70_000}}}
    desk.world._post = lambda path, form, key: Answer(400, error)  # type: ignore[method-assign] # something in between
    assert [result.end for result in desk.apply()] == ["failed"]


@pytest.mark.parametrize("found", ["", "nonsense", "cus_1", "v1", "../../cus_1", "Ada Lovelace", "cbtxn_404"])
def test_a_person_cannot_say_that_stripe_made_what_it_does_not_have(desk: Desk, found: str) -> None:
    action = interrupted(desk)
    desk.now_us += HOUR_US
    with pytest.raises(NotApproved, match="no object of that id"):
        runner(desk, send=False).decide(action, found, "seen")
    assert one(desk).state == "sending"


def half_done(desk: Desk, row: dict[str, Any]) -> Action:
    desk.approved(row)
    desk.world.faults = ["none", "400"]
    assert [result.end for result in desk.apply()] == ["blocked"]
    return one(desk)


def test_what_is_blocked_and_cannot_be_undone_is_given_up_by_a_person(desk: Desk) -> None:
    """Step 0 is done, the approvals have ended: no retry leads anywhere, and the customer must not wait for ever."""
    action = half_done(desk, retry_row())
    desk.now_us += 100 * HOUR_US
    ledger = desk.ledger()
    retry(ledger, action.action_id, "try", ME)
    with pytest.raises(ActionError):
        plan_undo(ledger, desk.policy(), load(ledger, action.action_id), "take it back", ME)
    assert [result.end for result in desk.apply()] == ["blocked"]
    with pytest.raises(NotApproved):
        runner(desk, send=False).decide(one(desk), "in_1", "no call of it is open")
    assert runner(desk, send=False).decide(one(desk), None, "paid by bank transfer").end == "failed"
    (new,) = [found for found in desk.approved(credit()) if found.state == "planned"]
    assert [result.action.action_id for result in desk.apply() if result.end == "done"] == [new.action_id]


def test_an_action_is_not_tried_again_while_it_is_being_undone(desk: Desk) -> None:
    """The two would wait for each other, and the customer for both."""
    action = half_done(desk, quote())
    ledger = desk.ledger()
    undo = plan_undo(ledger, desk.policy(), load(ledger, action.action_id), "a mistake", ME)
    desk.approve(undo)
    desk.world.faults = ["drop before"] * 4
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    with pytest.raises(NotApproved, match="is undoing"):
        retry(ledger, action.action_id, "after all", ME)
    assert [result.end for result in desk.apply()] == ["done"]
    assert one(desk).state == "undone"


def test_a_step_that_cannot_be_sent_any_more_waits_for_a_person(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer SDK does not know a parameter of step 1: neither retried for ever in silence, nor beyond undoing."""
    desk.approved(quote())

    def check(request: Any) -> None:
        if request.path.endswith("/finalize"):
            raise BadRecommendation("unknown parameter")
        check_shape(request)

    monkeypatch.setattr("actions.apply.check_shape", check)
    assert [result.end for result in desk.apply()] == ["blocked"]
    ledger = desk.ledger()
    undo = plan_undo(ledger, desk.policy(), load(ledger, one(desk).action_id), "give it up", ME)
    desk.approve(undo)
    assert [result.end for result in desk.apply()] == ["done"]


def test_two_approvals_of_one_person_under_two_names_count_once(desk: Desk) -> None:
    """Written at the same moment, before either could see the other; the user's number is the same."""
    (action,) = desk.approved(credit())
    wanted = replace(action.planned, body=canon(action.plan | {"verdict": {"approvers": 2, "hours": 72, "rules": []}}))
    until = desk.now_us + HOUR_US

    def given(name: str, uid: int) -> Event:
        return action.event("approved", Actor(name, "os_user"), "agreed", {"expires_us": until, "uid": uid})

    assert derive([wanted, given("ada", 1000), given("ada2", 1000)], desk.now_us).state == "planned"
    assert derive([wanted, given("ada", 1000), given("grace", 1001)], desk.now_us).state == "approved"


def test_what_nobody_knows_counts_towards_a_cap(desk: Desk) -> None:
    """One action a day: the first may have been done, so there is no room for a second."""
    desk.rules = capped(desk.policy(), 1)
    desk.approved(courtesy(1), courtesy(2))
    desk.world.faults = ["drop before"] * 4
    assert sorted(result.end for result in desk.apply()) == ["ambiguous", "refused"]
    assert len({event.action_id for action in desk.actions() for event in action.intents}) == 1


def test_one_odd_object_does_not_end_the_run_for_the_others(desk: Desk) -> None:
    desk.approved(courtesy(), credit())
    del desk.world.customer["id"]
    assert [result.end for result in desk.apply()] == ["ambiguous", "ambiguous"]
    assert "expected (KeyError('id'))" in desk.apply()[0].words
    assert desk.world.writes == 0
