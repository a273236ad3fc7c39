"""R24: taking an action back is an action like any, so a crash anywhere in it has one effect; and it does take back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.plan import plan_undo
from actions.state import load
from tests.actions.conftest import ME, Desk, offer, upgrade
from tests.actions.harness import Start, Tally, crash_everywhere
from tests.actions.rows import courtesy, credit_note, draft_note, label, price, quote, schedule

KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "credit": courtesy, "upgrade": upgrade, "offer": offer, "credit_note": credit_note, "label": label,
    "quote": quote, "schedule": schedule, "price": price, "draft_note": draft_note,
}  # fmt: skip


@pytest.fixture
def start(memory_desk: Desk, request: pytest.FixtureRequest) -> Start:
    (planned,) = memory_desk.approved(KINDS[request.param]())
    assert [result.end for result in memory_desk.apply()] == ["done"]
    ledger = memory_desk.ledger()
    undo = plan_undo(ledger, memory_desk.policy(), load(ledger, planned.action_id), "it was a mistake", ME)
    ledger.close()
    memory_desk.approve(undo)
    return Start(memory_desk)


@pytest.mark.parametrize("start", KINDS, indirect=True)
def test_an_undo_that_crashes_anywhere_has_one_effect(start: Start, quick_path: Path) -> None:
    tally = Tally()
    for fault, hours in (("", 0), ("", 25), ("drop after", 0)):
        crash_everywhere(start, quick_path, (fault,), hours, tally)
    print(tally)
    assert tally.wrong == []
    assert tally.cases >= 30
