"""What a person types and reads: the screens, the exit codes, the sentences."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest

from actions.cli import cli
from actions.port import StripeWriter
from tests.actions.conftest import Desk, command, credit, upgrade
from tests.commands import module, run


def test_a_customers_own_words_cannot_repaint_the_screen(desk: Desk) -> None:
    desk.publish(credit(reason="\x1b[2J\x07Acme\u202e\u200b\r\nok\x9b"))
    shown = command(desk, "plan").output
    assert "Acmeok" in shown
    assert not set(shown) & set("\x1b\x07\u202e\u200b\r\x9b")


def test_the_table_of_plans_has_id_kind_customer_money_and_reason(desk: Desk) -> None:
    desk.publish(credit(recommendation_id="h1:" + "c" * 32))
    header, line, *_ = command(desk, "plan").output.splitlines()
    assert header.split() == ["id", "kind", "customer", "amount", "reason"]
    assert line.startswith(
        "ccccccc  courtesy_credit  cus_1     USD 12.00  Ada Lovelace Ltd should get a courtesy_credit"
    )


def test_show_tells_all_that_an_approval_means(ready: Desk) -> None:
    (action,) = ready.actions()
    shown = command(ready, "show", action.action_id).output
    for part in (
        action.action_id,
        "POST /v1/customers/cus_1/balance_transactions",
        "amount: -1200",
        "agreed",
        "USD 12.00",
    ):
        assert part in shown
    assert '"meterwise_plan": "' + str(action.planned.plan_hash) in shown
    assert "Ada Lovelace" in shown  # the mart's reason, read for the screen and kept out of the ledger


def test_exit_codes_say_what_happened(desk: Desk) -> None:
    assert command(desk, "plan").exit_code == 1
    assert command(desk, "apply").exit_code == 3
    desk.publish(credit(), upgrade())
    assert command(desk, "plan").exit_code == 0
    assert command(desk, "plan").exit_code == 3
    assert command(desk, "apply", "--send").exit_code == 3
    assert command(desk, "approve", "zzz", "--reason", "x").exit_code == 1
    assert command(desk, "approve").exit_code == 2
    ids = [action.action_id for action in desk.actions()]
    assert command(desk, "apply", ids[0], "--send").exit_code == 6
    assert command(desk, "approve", *ids, "--reason", "agreed").exit_code == 0
    assert command(desk, "apply").exit_code == 0
    desk.world.faults = ["402"]
    assert command(desk, "apply", "--send").exit_code == 1
    assert command(desk, "verify").exit_code == 0
    rows = json.loads(command(desk, "log", "--json").stdout)["events"]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["actor_assurance"] for row in rows} <= {"os_user", "service"}
    desk.settings.head.unlink()
    assert command(desk, "verify").exit_code == 7


def test_a_wrong_key_stops_the_run_and_leaves_the_action_to_the_next(ready: Desk) -> None:
    ready.world.faults = ["401"]
    assert command(ready, "apply", "--send").exit_code == 1
    assert command(ready, "apply", "--send").exit_code == 0
    assert sum(ready.world.effects.values()) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(desk: Desk) -> None:
    desk.publish(credit())
    desk.settings.ledger.parent.write_text("in the way")
    failed = command(desk, "plan")
    assert failed.exit_code == 1
    assert "Traceback" not in failed.output
    assert str(desk.settings.ledger.parent) in failed.stderr


QUIET = [["show"], ["show", "{id}"], ["approve", "{id}", "--reason", "x"], ["log"], ["status"], ["audit", "verify"],
         ["halt", "--reason", "x"], ["policy", "explain", "{id}"], ["plan"]]  # fmt: skip


@pytest.mark.parametrize("arguments", QUIET)
def test_what_asks_nothing_of_stripe_does_not_load_its_sdk(ready: Desk, arguments: list[str]) -> None:
    given = [part.replace("{id}", ready.actions()[0].action_id) for part in arguments]
    tell = "atexit.register(lambda: print('stripe' in sys.modules, file=sys.stderr))"
    code = f"import atexit, sys; {tell}; from actions.cli import cli; cli({given!r})"
    ran = run([sys.executable, "-c", code], ready.settings.data)
    assert ran.stderr.splitlines()[-1] == "False", ran.stderr


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    """The words of every command that help lists, those of groups too."""
    for name, found in group.commands.items():
        if not found.hidden:
            yield (*names, name)
        if isinstance(found, click.Group):
            yield from commands(found, *names, name)


@pytest.mark.parametrize("names", list(commands(cli)), ids=" ".join)
def test_every_command_has_help_that_ends_in_an_example(desk: Desk, names: tuple[str, ...]) -> None:
    words = " ".join(command(desk, *names, "--help").output.split())
    assert f"Example: python -m actions {' '.join(names)}" in words


def test_a_slip_of_the_keyboard_approves_nothing(ready: Desk) -> None:
    shown = command(ready, "show").output.splitlines()[1].split()[0]
    refused = command(ready, "decline", shown[:3], "--reason", "no")
    assert (refused.exit_code, refused.output.count("at least 4 characters")) == (1, 1)
    assert command(ready, "decline", shown[:4], "--reason", "no").exit_code == 0
    assert command(ready, "plan", "--kind", "nonsense").exit_code == 2


def test_the_module_is_the_command(tmp_path: Path) -> None:
    ran = module(tmp_path, "actions", "show")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "python -m actions plan" in ran.stderr


def test_pacing_holds_two_writes_a_second(desk: Desk) -> None:
    paced = replace(desk, settings=replace(desk.settings, writes_per_second=2))
    port = StripeWriter("rk_test_x", paced.settings, paced.clock)
    for n in range(3):
        port.post(
            "/v1/customers/cus_1/balance_transactions",
            {"amount": -1, "currency": "usd", "metadata": {"meterwise_action": "a"}},
            f"k{n}",
        )
    assert paced.slept == [0.5, 0.5]
