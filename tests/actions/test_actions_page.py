"""docs/actions.md is true: it names every command, exit code, setting, kind and fault, and no others."""

from __future__ import annotations

import re

import click
import pytest

from actions.cli import cli
from actions.console import EXIT_CODES
from actions.executors import EXECUTORS
from actions.settings import KEYS
from tests.actions import faults
from tests.commands import ROOT

PAGE = (ROOT / "docs" / "actions.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables under a heading, without their first line."""
    part = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return lines[2:]


def codes(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_command_is_in_its_table_and_no_other() -> None:
    there = set()
    for name, found in cli.commands.items():
        names = [f"{name} {one}" for one in found.commands] if isinstance(found, click.Group) else [name]
        there |= set() if found.hidden else set(names)
    told: set[str] = set()
    for cells in rows("A day with it"):
        words = re.findall(r"`([a-z ]+)`", cells[0])
        group = words[0].split(" ")[0] if " " in words[0] else ""
        told |= {word if " " in word or not group else f"{group} {word}" for word in words}
    assert told == there


def test_every_exit_code_says_what_to_do() -> None:
    told = {int(cells[0]): cells for cells in rows("Exit codes")}
    assert set(told) == {0, 1, 2, *EXIT_CODES.values()}
    assert all(len(cells) == 3 and cells[2] for cells in told.values())
    helped = dict(re.findall(r"^ +(\d)  (\S.*)$", str(cli.help), flags=re.MULTILINE))
    assert {int(code) for code in helped} == set(told)


def test_every_key_is_in_its_table() -> None:
    assert [codes(cells[0]) for cells in rows("Keys")] == [{name} for name in KEYS.values()]


def test_every_kind_and_every_executor_has_a_row() -> None:
    part = PAGE.split("## What changes in Stripe", 1)[1].split("\n## ", 1)[0]
    firsts = " ".join(line.split("|")[1] for line in part.splitlines() if line.startswith("|"))
    for executor in EXECUTORS:
        assert executor.name in firsts
        assert set(executor.kinds) <= codes(firsts)


@pytest.mark.parametrize("name", faults.EVERY_NAME)
def test_every_fault_that_the_tests_cause_is_told_by_name(name: str) -> None:
    said = faults.SAID | faults.OTHERS
    told = {cells[0].strip("*"): cells[1] for cells in rows("What it survives")}
    assert set(told) == set(faults.EVERY_NAME)
    assert told[name] == said.get(name, told[name])
