"""R9. Kinds of two calls: a crash at every point of either, under every fault of either, has each effect once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.conftest import Desk
from tests.actions.faults import FAULTS
from tests.actions.harness import Start, Tally, crash_everywhere
from tests.actions.rows import TWO_CALLS

LATE = ("", "drop after")  # with a day in between as well
THOROUGH = "quote"  # the runner is the same for all: every fault for this one, those that differ for others
FEW = (*LATE, "500 before, kept", "500 after, kept")


@pytest.fixture
def start(memory_desk: Desk, request: pytest.FixtureRequest) -> Start:
    memory_desk.approved(TWO_CALLS[request.param]())
    return Start(memory_desk)


@pytest.mark.parametrize("start", TWO_CALLS, indirect=True)
@pytest.mark.parametrize("calls", ["first", "second"])
def test_a_crash_at_any_point_of_two_calls_leaves_each_effect_once(
    start: Start, quick_path: Path, calls: str, request: pytest.FixtureRequest
) -> None:
    tally, is_thorough = Tally(), request.node.callspec.params["start"] == THOROUGH
    faults = ("", *FAULTS) if is_thorough else FEW
    for fault in faults if calls == "first" else faults[1:]:
        for hours in (0, 25) if fault in LATE else (0,):
            crash_everywhere(start, quick_path, ("", fault) if calls == "second" else (fault,), hours, tally)
    print(tally)
    assert tally.wrong == []
    assert tally.cases >= (250 if is_thorough else 80)
