"""Kinds of one call: a crash at every point, under every fault, with and without a day in between, has one effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.conftest import Desk, offer, upgrade
from tests.actions.faults import FAULTS
from tests.actions.harness import Start, Tally, crash_everywhere
from tests.actions.rows import NO_CALL, ONE_CALL

KINDS = {"upgrade": upgrade, "offer": offer} | ONE_CALL


LATE = ("", "drop after", "500 before, kept")  # with a day in between as well
THOROUGH = ("upgrade", "credit")  # the runner is the same for all: every fault for these, those that differ for others
FEW = (*LATE, "500 after, kept")


@pytest.fixture
def start(memory_desk: Desk, request: pytest.FixtureRequest) -> Start:
    memory_desk.approved((KINDS | NO_CALL)[request.param]())
    return Start(memory_desk)


@pytest.mark.parametrize("start", KINDS, indirect=True)
def test_a_crash_at_any_point_under_any_fault_leaves_one_effect(
    start: Start, quick_path: Path, request: pytest.FixtureRequest
) -> None:
    tally, is_thorough = Tally(), request.node.callspec.params["start"] in THOROUGH
    for fault in ("", *FAULTS) if is_thorough else FEW:
        for hours in (0, 25) if fault in LATE else (0,):
            crash_everywhere(start, quick_path, (fault,), hours, tally)
    print(tally)
    assert tally.wrong == []
    assert tally.cases >= (200 if is_thorough else 90)


@pytest.mark.parametrize("start", ["upgrade"], indirect=True)
def test_so_does_one_under_two_faults(start: Start, quick_path: Path) -> None:
    tally = Tally()
    for second in FAULTS:
        crash_everywhere(start, quick_path, ("500 before, kept", second), 0, tally)
    assert tally.wrong == []


@pytest.mark.parametrize("start", NO_CALL, indirect=True)
def test_a_decision_is_recorded_once_wherever_it_crashes(start: Start, quick_path: Path) -> None:
    tally = Tally()
    crash_everywhere(start, quick_path, (), 0, tally)
    assert tally.wrong == []
    assert start.desk.world.writes == 0
