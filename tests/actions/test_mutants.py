"""Does the harness bite? Runners with one fault each: every one is found by the invariants that the real one holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from actions import apply as engine
from actions import guard, state
from actions.apply import Runner
from actions.executors import customer_credit
from actions.ids import idempotency_key
from actions.port import NoAnswer, Reply
from actions.record import Result
from actions.state import Action, Request
from tests.actions.conftest import Desk, credit
from tests.actions.harness import Start, Tally, crash_everywhere
from tests.actions.rows import quote
from tests.actions.scenarios import SCENARIOS

Patch = Callable[[pytest.MonkeyPatch], type[Runner]]


def nothing(patch: pytest.MonkeyPatch) -> type[Runner]:
    return Runner


def fresh_key_for_every_call(patch: pytest.MonkeyPatch) -> type[Runner]:
    class Mutant(Runner):
        def _post(self, request: Request, intent: Any) -> Any:
            return super()._post(request, replace(intent, idempotency_key=token_hex()))

    return Mutant


def keys_never_expire(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(guard, "KEY_LIFE_US", 1 << 62)
    return Runner


def no_look_after_a_replayed_500(patch: pytest.MonkeyPatch) -> type[Runner]:
    class Mutant(Runner):
        def _look(self, action: Action, intent: Any, is_final: bool = False) -> Result:
            return self._begin(action, intent) if is_final else super()._look(action, intent)

    return Mutant


def intent_after_the_call(patch: pytest.MonkeyPatch) -> type[Runner]:
    class Mutant(Runner):
        def _claim(self, seen: Action, absent: Any) -> Any:
            action, action_id = state.load(self.ledger, seen.action_id), seen.action_id
            planned = action.planned
            key = idempotency_key(planned.account_id, planned.livemode, action_id, 0, len(action.intents))
            self._post(action.request(0), replace(planned, idempotency_key=key))
            self.point("answered")
            return super()._claim(seen, absent)

    return Mutant


def no_answer_is_done(patch: pytest.MonkeyPatch) -> type[Runner]:
    class Mutant(Runner):
        def _post(self, request: Request, intent: Any) -> Any:
            try:
                return self.port.post(request.path, request.params, intent.idempotency_key), ""  # type: ignore[attr-defined] # a mutant
            except NoAnswer:
                return Reply(200, {"id": "hopefully"}, None, False, None), ""

    return Mutant


def outcome_before_the_call(patch: pytest.MonkeyPatch) -> type[Runner]:
    class Mutant(Runner):
        def _drive(self, action: Action, intent: Any) -> Result:
            result = self._end(action, "outcome", "done", {}, intent, None, "hopefully")
            self.point("call")
            self._post(engine._stored(intent), intent)
            return result

    return Mutant


def parameters_computed_again(patch: pytest.MonkeyPatch) -> type[Runner]:
    stored, calls = engine._stored, iter(range(1_000_000))

    def again(intent: Any) -> Request:
        found = stored(intent)
        return replace(found, params=found.params | {"description": f"Credit {next(calls)}"})

    patch.setattr(engine, "_stored", again)
    return Runner


def other_plans_are_no_concern(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(guard, "check_rivals", lambda ledger, action: None)
    return Runner


def halt_read_once(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(guard, "halted", lambda ledger: None)
    return Runner


def approval_looked_at_when_chosen(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(Action, "approval_ends_us", property(lambda self: 1 << 62))
    patch.setattr(
        engine, "load", lambda ledger, name: replace(found, state="approved")
        if (found := state.load(ledger, name)).state == "expired" else found,
    )  # fmt: skip
    return Runner


def any_object_will_do(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(customer_credit, "carries", lambda found, request: True)
    return Runner


def facts_not_compared(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(engine, "difference", lambda expected, live: {})
    return Runner


def caps_forgotten(patch: pytest.MonkeyPatch) -> type[Runner]:
    patch.setattr(engine, "check_caps", lambda ledger, policy, action: None)
    return Runner


# Of actions.md section 4 the first seven, then ours; what each must be found by, and where.
MUTANTS: list[tuple[Patch, str, str]] = [
    (fresh_key_for_every_call, "crashes", "no intent before the call"),
    (keys_never_expire, "crashes", "twice"),
    (no_look_after_a_replayed_500, "crashes", "twice"),
    (intent_after_the_call, "crashes", "no intent before the call"),
    (no_answer_is_done, "crashes", "lost"),
    (outcome_before_the_call, "crashes", "lost"),
    (parameters_computed_again, "crashes", "idempotency_error"),
    (other_plans_are_no_concern, "a rival", "twice"),
    (halt_read_once, "a halt", "sent after the halt"),
    (approval_looked_at_when_chosen, "a late run", "sent unapproved"),
    (any_object_will_do, "a stranger", "lost"),
    (facts_not_compared, "a change", "sent though stale"),
    (caps_forgotten, "a cap", "over the cap"),
]


@pytest.fixture
def start(memory_desk: Desk) -> Start:
    memory_desk.approved(credit())
    return Start(memory_desk)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_runner_itself_holds_in_every_scenario(start: Start, quick_path: Path, scenario: str) -> None:
    tally = Tally()
    SCENARIOS[scenario](start, quick_path, tally)
    assert tally.wrong == []
    assert tally.cases


@pytest.mark.parametrize(("mutant", "scenario", "sign"), MUTANTS, ids=[mutant.__name__ for mutant, *_ in MUTANTS])
def test_a_mutant_is_killed(
    start: Start, quick_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Patch, scenario: str, sign: str
) -> None:
    tally, start.desk.runner = Tally(), mutant(monkeypatch)
    SCENARIOS[scenario](start, quick_path, tally)
    assert any(sign in line for line in tally.wrong), tally.wrong
    print(mutant.__name__, f"{len(tally.wrong)} of {tally.cases} cases")


def test_a_mutant_that_forgets_which_steps_are_done_is_killed(
    memory_desk: Desk, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_desk.approved(quote())
    tally, start = Tally(), Start(memory_desk)
    monkeypatch.setattr(Action, "made", property(lambda self: {}))
    crash_everywhere(start, quick_path, (), 0, tally)
    assert any("lost" in line for line in tally.wrong), tally.wrong
