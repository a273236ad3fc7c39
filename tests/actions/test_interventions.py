"""What a person says to the runner: stop, go on, try again, it was done, it was not, take it back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from actions.apply import Runner
from actions.clock import HOUR_US, SECOND_US
from actions.errors import Halted, NotApproved, NothingToDo
from actions.guard import halt, halt_file, resume, retry, write_halt
from actions.ledger import no_point
from actions.plan import plan_undo
from actions.record import Result
from actions.state import Action, load
from tests.actions.conftest import ME, Desk, credit
from tests.actions.harness import Crash, DiesAt
from tests.actions.rows import courtesy, decided
from tests.actions.rows import retry as retry_row


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def runner(desk: Desk, send: bool = False, point: Callable[[str], None] = no_point) -> Runner:
    return desk.runner(desk.ledger(), desk.port(send), desk.policy(), ME, desk.world.livemode, point)


def copied(desk: Desk, path: Path) -> Desk:
    shutil.copytree(desk.settings.data, path)
    return replace(desk, settings=replace(desk.settings, data=path))


def unknown(desk: Desk, *rows: dict[str, object]) -> Action:
    """Sent, and no answer: the action that a person is asked about."""
    desk.approved(*(rows or (credit(),)))
    desk.world.faults = ["drop before"] * 4
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    return desk.actions()[0]


def half_done(desk: Desk, *rows: dict[str, object]) -> Action:
    """Step 0 is done, Stripe said no to step 1."""
    desk.approved(*(rows or (retry_row(),)))
    desk.world.faults = ["none", "400"]
    assert [result.end for result in desk.apply()] == ["blocked"]
    return desk.actions()[0]


def stop_by_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    write_halt(desk.settings.ledger)


def stop_by_event(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    halt(desk.ledger(), "prices look wrong", ME)
    halt_file(desk.settings.ledger).unlink()


def stop_by_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERWISE_HALT", "1")


@pytest.mark.parametrize("stop", [stop_by_file, stop_by_event, stop_by_environment])
def test_each_way_of_halting_stops_every_call(
    desk: Desk, stop: Callable[[Desk, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.approved(credit())
    with monkeypatch.context() as patch:
        stop(desk, patch)
        with pytest.raises(Halted, match="resume"):
            desk.apply()
        assert desk.world.writes == 0
        assert [result.end for result in desk.apply(send=False)] == ["shadowed"]  # reading goes on
    resume(desk.ledger(), "they were right", ME)
    assert [result.end for result in desk.apply()] == ["done"]


def test_resume_is_refused_while_the_environment_halts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.approved(credit())
    halt(desk.ledger(), "stop", ME)
    monkeypatch.setenv("METERWISE_HALT", "1")
    with pytest.raises(NotApproved, match="METERWISE_HALT"):
        resume(desk.ledger(), "go", ME)
    assert halt_file(desk.settings.ledger).exists()


def test_a_halt_at_any_moment_lets_at_most_one_more_call_out_and_loses_nothing(desk: Desk, quick_path: Path) -> None:
    planned = desk.approved(credit(), retry_row(2))
    for n in range(1, 40):
        desk.world.reset()
        case, sent = copied(desk, quick_path / str(n)), [0]
        passed = 0

        def flip(name: str, case: Desk = case, at: int = n, sent: list[int] = sent) -> None:
            nonlocal passed
            passed += 1
            if passed == at:
                write_halt(case.settings.ledger)
                sent[0] = case.world.writes

        try:
            case.apply(point=flip)
        except Halted:
            assert desk.world.writes <= sent[0] + 1
            resume(case.ledger(), "go on", ME)
            case.apply()
        assert [action.state for action in case.actions()] == ["done", "done"], case.kinds()
        assert desk.world.effects == {planned[0].action_id: 1, planned[1].action_id: 2}
        if passed < n:
            return
    raise AssertionError("the run never ended")


def test_a_halted_run_is_taken_up_between_two_steps(desk: Desk) -> None:
    desk.approved(retry_row())
    point = DiesAt(99)
    with pytest.raises(Halted):
        desk.apply(point=lambda name: write_halt(desk.settings.ledger) if desk.world.writes == 1 else point(name))
    assert desk.actions()[0].made == {0: "in_1"}
    assert desk.actions()[0].state == "sending"
    resume(desk.ledger(), "go on", ME)
    assert [result.end for result in desk.apply()] == ["done"]
    assert desk.world.writes == 2


def test_what_stripe_refuses_half_way_waits_for_a_person_and_for_nothing_else(desk: Desk) -> None:
    half_done(desk)
    with pytest.raises(NothingToDo):
        desk.apply()
    retry(desk.ledger(), desk.actions()[0].action_id, "the invoice is mended", ME)
    (result,) = desk.apply()
    assert result.end == "done"
    assert [(intent.step, intent.attempt) for intent in result.action.intents] == [(0, 0), (1, 0), (1, 1)]
    assert len({intent.idempotency_key for intent in result.action.intents}) == 3


def test_a_declined_card_is_a_known_end_and_not_half_way(desk: Desk) -> None:
    desk.approved(retry_row())
    desk.world.faults = ["none", "402"]
    assert [result.end for result in desk.apply()] == ["failed"]


def test_a_blocked_action_keeps_others_of_its_customer_waiting_but_not_of_another(desk: Desk) -> None:
    blocked = half_done(desk)
    desk.approved(courtesy(1), courtesy(2))
    assert sorted(result.end for result in desk.apply()) == ["ambiguous", "done"]
    assert desk.world.effects.keys() > {blocked.action_id}


def test_eight_tries_without_an_answer_are_enough_until_a_person_says_otherwise(desk: Desk) -> None:
    planned = unknown(desk)
    desk.world.faults = ["500 before, not kept"] * 9
    assert [result.end for result in desk.apply()] == ["blocked"]
    assert desk.world.writes == 8
    with pytest.raises(NothingToDo):
        desk.apply()
    desk.world.faults = []
    retry(desk.ledger(), planned.action_id, "Stripe is back", ME)
    (result,) = desk.apply()
    assert (result.end, len(result.action.intents)) == ("done", 1)


def test_a_day_of_tries_is_enough_as_well(desk: Desk) -> None:
    planned = unknown(desk)
    desk.now_us += 24 * HOUR_US
    assert [result.end for result in desk.apply()] == ["blocked"]
    retry(desk.ledger(), planned.action_id, "look, then send", ME)
    (result,) = desk.apply()
    assert (result.end, [intent.attempt for intent in result.action.intents]) == ("done", [0, 1])


def test_only_what_is_blocked_is_tried_again(desk: Desk) -> None:
    planned = unknown(desk)
    with pytest.raises(NotApproved, match="only a blocked"):
        retry(desk.ledger(), planned.action_id, "now", ME)


@pytest.mark.parametrize("fault", ["drop after", "drop before"])
def test_reconcile_looks_and_never_sends(desk: Desk, fault: str) -> None:
    desk.approved(credit())
    desk.world.faults = [fault]
    with pytest.raises(Crash):
        desk.apply(point=DiesAt(5 if fault == "drop before" else 7))
    writes = desk.world.writes
    for _ in range(3):
        result = runner(desk).look(desk.actions()[0])
        assert result.end in ("done", "ambiguous")
    assert desk.world.writes == writes
    assert desk.actions()[0].state == ("done" if desk.world.effects else "sending")


def test_a_person_says_which_object_it_was(desk: Desk) -> None:
    action = unknown(desk)
    by_hand = desk.world.objects.post(action.steps[0].path, {"amount": -1200, "currency": "usd"})["id"]
    result = runner(desk).decide(action, by_hand, "seen in the dashboard")
    assert (result.end, result.action.made) == ("done", {0: by_hand})
    with pytest.raises(NotApproved, match="no call of it"):
        runner(desk).decide(desk.actions()[0], None, "again")


def test_a_person_says_that_there_is_none(desk: Desk) -> None:
    action = unknown(desk)
    with pytest.raises(NotApproved, match="ten minutes"):
        runner(desk).decide(action, None, "not in the dashboard")
    desk.now_us += HOUR_US
    assert runner(desk).decide(action, None, "not in the dashboard").end == "failed"
    with pytest.raises(NothingToDo):
        desk.apply()


def test_what_stripe_shows_outweighs_what_a_person_says(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["500 after, kept"]
    desk.world.get_faults = ["", "", "drop before"]
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    desk.now_us += HOUR_US
    assert runner(desk).decide(desk.actions()[0], None, "not there").end == "done"


def test_said_absent_half_way_is_blocked_not_failed(desk: Desk) -> None:
    desk.approved(retry_row())
    desk.world.faults = ["none", *["drop before"] * 4]
    desk.apply()
    desk.now_us += HOUR_US
    assert runner(desk).decide(desk.actions()[0], None, "not paid").end == "blocked"
    retry(desk.ledger(), desk.actions()[0].action_id, "pay it", ME)
    (result,) = desk.apply()
    assert (result.end, result.action.intents[-1].attempt) == ("done", 1)


def undo(desk: Desk, action: Action) -> Action:
    ledger = desk.ledger()
    return plan_undo(ledger, desk.policy(), load(ledger, action.action_id), "a mistake", ME)


def test_an_undo_takes_the_effect_back_once_and_marks_what_it_undid(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    desk.apply()
    back = undo(desk, planned)
    desk.approve(back)
    assert [result.end for result in desk.apply()] == ["done"]
    assert [action.state for action in desk.actions()] == ["undone", "done"]
    assert sum(found["amount"] for found in desk.world.balance) == 0
    with pytest.raises(NotApproved):
        undo(desk, desk.actions()[0])


def test_an_undo_waits_until_it_is_known_what_there_is_to_undo(desk: Desk) -> None:
    planned = half_done(desk)
    desk.now_us += SECOND_US
    retry(desk.ledger(), planned.action_id, "try", ME)
    desk.world.faults = ["drop before"] * 4
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    with pytest.raises(NotApproved):
        undo(desk, desk.actions()[0])


def test_a_decision_is_recorded_in_one_go_and_nothing_is_called(desk: Desk) -> None:
    (planned,) = desk.approved(decided())
    (result,) = desk.apply()
    assert result.end == "done"
    assert desk.world.writes == 0
    assert [event.kind for event in result.action.events] == ["planned", "approved", "intent", "outcome"]
    assert result.action.request(0) == replace(planned.steps[0])


def test_the_ends_of_a_run_are_what_show_tells(desk: Desk) -> None:
    ends: list[Result] = []
    for rows, faults in (([courtesy(1)], []), ([courtesy(2)], ["402"]), ([courtesy(3)], ["404"])):
        desk.approved(*rows)
        desk.world.faults = list(faults)
        ends += desk.apply()
    assert [result.end for result in ends] == ["done", "failed", "refused"]
