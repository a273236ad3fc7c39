"""What goes by and what changes while an action is under way: approvals, keys, policy, phase, clocks, processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.clock import HOUR_US, SECOND_US
from actions.errors import ClockSkew
from actions.policy import read_policy
from actions.state import load, overview
from tests.actions.conftest import ME, WALL_US, Desk, credit
from tests.actions.harness import Crash, DiesAt
from tests.actions.rows import alert, courtesy, credit_grant, credit_note, quote
from tests.actions.rows import retry as retry_row

BEFORE_THE_CALL, AFTER_IT = 4, 5  # points that a run passes: three of the commit, then these


@pytest.fixture
def desk(memory_desk: Desk) -> Desk:
    return memory_desk


def sent_by_a_dead_process(desk: Desk, point: int = BEFORE_THE_CALL) -> None:
    with pytest.raises(Crash):
        desk.apply(point=DiesAt(point))


def test_an_approval_that_ends_between_intent_and_call_is_not_used_any_more(desk: Desk) -> None:
    desk.approved(credit())
    desk.now_us += 71 * HOUR_US
    sent_by_a_dead_process(desk)
    desk.now_us += 2 * HOUR_US  # the key would live on, the approval does not
    assert [result.end for result in desk.apply()] == ["expired"]
    assert desk.world.writes == 0


def test_an_approval_that_ends_half_way_leaves_the_rest_to_a_person(desk: Desk) -> None:
    desk.approved(retry_row())
    desk.now_us += 71 * HOUR_US

    def die_after_the_first_step(name: str) -> None:
        if name == "head written" and desk.world.writes == 1:
            raise Crash

    with pytest.raises(Crash):
        desk.apply(point=die_after_the_first_step)
    desk.now_us += 2 * HOUR_US
    assert [result.end for result in desk.apply()] == ["blocked"]
    assert desk.world.writes == 1


def edit_policy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(desk), "policy", lambda self: replace(read_policy(), hash="h1:other"))


def back_to_shadow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.ledger()
    with ledger.write():
        body = {"kind": "courtesy_credit", "phase": "shadow"}
        ledger.append(desk.actions()[0].event("mode_changed", ME, "looks wrong", body))


@pytest.mark.parametrize("change", [edit_policy, back_to_shadow])
def test_a_call_that_is_not_allowed_any_more_is_not_repeated(
    desk: Desk, change: Callable[[Desk, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.approved(credit())
    sent_by_a_dead_process(desk)
    change(desk, monkeypatch)
    assert [result.end for result in desk.apply()] == ["ambiguous"]  # the dead process may still be heard
    desk.now_us += HOUR_US
    assert [result.end for result in desk.apply()] == ["refused"]
    assert desk.world.writes == 0


def test_what_was_done_is_found_also_when_it_is_not_allowed_any_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.approved(credit())
    desk.world.faults = ["drop after"]
    sent_by_a_dead_process(desk, AFTER_IT)
    edit_policy(desk, monkeypatch)
    assert [result.end for result in desk.apply()] == ["done"]
    assert sum(desk.world.effects.values()) == 1


def test_a_machine_that_slept_for_a_day_between_two_tries_looks_before_it_sends(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["500 after, kept"]

    def lid_closed(name: str) -> None:
        if name == "answered" and desk.world.writes == 1:
            desk.now_us += 25 * HOUR_US
            desk.world.keys.clear()

    ends = [result.end for result in desk.apply(point=lid_closed)]
    assert ends == ["done"]
    assert sum(desk.world.effects.values()) == 1


@pytest.mark.parametrize(("fault", "ends"), [("drop after", ["done"]), ("drop before", ["ambiguous"])])
def test_a_call_repeated_just_before_its_key_ends_is_waited_for(desk: Desk, fault: str, ends: list[str]) -> None:
    desk.approved(credit())
    sent_by_a_dead_process(desk)
    desk.now_us += 23 * HOUR_US - 5 * SECOND_US
    desk.world.faults = [fault]
    sent_by_a_dead_process(desk, AFTER_IT)  # sent again, and dead before the answer
    desk.now_us += 10 * SECOND_US
    assert [result.end for result in desk.apply()] == ends
    assert desk.world.writes == 1
    desk.now_us += HOUR_US
    if ends != ["done"]:
        assert [result.end for result in desk.apply()] == ["done"]
    assert sum(desk.world.effects.values()) == 1


@pytest.mark.parametrize("row", [courtesy, credit_note, credit_grant, alert, quote, retry_row])
def test_a_ledger_put_back_from_a_backup_together_with_its_head_does_nothing_twice(
    desk: Desk, quick_path: Path, row: Callable[..., dict[str, Any]]
) -> None:
    desk.approved(row())
    shutil.copytree(desk.settings.data, quick_path / "backup")
    assert [result.end for result in desk.apply()] == ["done"]
    effects = dict(desk.world.effects)
    desk.now_us += 25 * HOUR_US
    desk.world.keys.clear()
    shutil.rmtree(desk.settings.data)
    shutil.move(quick_path / "backup", desk.settings.data)
    assert desk.actions()[0].state == "approved"
    (result,) = desk.apply()
    assert result.end in ("done", "refused")  # found by its tags, or the facts are not those of the plan any more
    assert dict(desk.world.effects) == effects


@pytest.mark.parametrize(("seconds", "is_refused"), [(119, False), (-119, False), (122, True), (-122, True)])
def test_a_clock_that_is_two_minutes_off_stops_the_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: int, is_refused: bool
) -> None:
    desk.approved(credit(expires_at=None))
    desk.world.now = datetime.fromtimestamp(WALL_US // SECOND_US, UTC) + timedelta(seconds=seconds)
    port = type(desk).port

    def remote(self: Desk, send: bool) -> Any:
        found = port(self, send)
        found.is_loopback = False
        return found

    monkeypatch.setattr(type(desk), "port", remote)
    if is_refused:
        with pytest.raises(ClockSkew, match="s behind"):
            desk.apply()
        assert desk.world.writes == 0
    else:
        assert [result.end for result in desk.apply()] == ["done"]


def test_approvals_end_by_the_later_of_two_clocks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.approved(credit(expires_at=None))
    desk.now_us += 72 * HOUR_US - 60 * SECOND_US
    desk.world.now = datetime.fromtimestamp(desk.now_us // SECOND_US + 90, UTC)
    port = type(desk).port

    def remote(self: Desk, send: bool) -> Any:
        found = port(self, send)
        found.is_loopback = False
        return found

    monkeypatch.setattr(type(desk), "port", remote)
    assert [result.end for result in desk.apply()] == ["refused"]
    assert desk.world.writes == 0


def test_a_plan_that_the_sdk_does_not_take_any_more_is_refused_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.approved(courtesy(1), courtesy(2))
    first, second = desk.actions()
    ledger = desk.ledger()
    twin = replace(first.planned, action_id="h1:twin", recommendation_id="h1:twin", customer_id="cus_3")
    body = twin.body.replace('"currency":"usd"', '"currencyy":"usd"', 1)
    with ledger.write():
        ledger.append(replace(twin, body=body))
        ledger.append(replace(first.events[1], action_id="h1:twin", recommendation_id="h1:twin", plan_hash="h1:t"))
    ledger.close()
    ends = {result.action.action_id: result.end for result in desk.apply()}
    assert ends[first.action_id] == ends[second.action_id] == "done"


def test_the_overview_of_all_actions_says_what_each_of_them_says(desk: Desk) -> None:
    rows = [courtesy(n) for n in range(1, 8)] + [retry_row(8)]
    planned = desk.approved(*rows)
    desk.world.faults = ["none", "402", "404", *["drop before"] * 4, "none"]
    desk.apply(ids=tuple(action.action_id for action in planned[:4]))
    desk.world.faults = ["none", "400"]
    desk.apply(ids=(planned[7].action_id,))
    desk.publish(*rows[:6], run_id="run-2")
    desk.plan()
    ledger = desk.ledger()
    found = {action.action_id: action.state for action in overview(ledger)}
    assert found == {name: load(ledger, name).state for name in found}
    assert {*found.values()} >= {"done", "failed", "refused", "ambiguous", "blocked", "approved", "superseded"}
    by_seq = ledger.query("SELECT action_id FROM event WHERE kind = 'planned' ORDER BY seq")
    assert [name for (name,) in by_seq] == list(found)
    desk.now_us += 80 * HOUR_US
    assert "expired" in {action.state for action in overview(desk.ledger())}
