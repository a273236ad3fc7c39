"""Keys and addresses planted wherever they could come from are in no output and no file; files are their owner's."""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.conftest import Desk, command, credit, publish, upgrade
from tests.commands import ROOT, run

CANARY = "CANARYq7Zk"
KEY, MAIL = f"rk_test_{CANARY}4242", f"{CANARY}.ada@example.com"
KEYS = dict.fromkeys(("STRIPE_API_KEY", "STRIPE_SHADOW_KEY", "STRIPE_ACTIONS_KEY"), KEY)
NAMED = f"{MAIL} should get it"


def planted(desk: Desk) -> Desk:
    """A customer with an address everywhere, in Stripe and in the publication; each key is the canary."""
    desk.world.customer.update(email=MAIL, name=MAIL, description=f"{MAIL} {KEY}")
    desk.publish(credit(reason=NAMED, evidence=json.dumps({"who": MAIL})), upgrade(reason=NAMED))
    return desk


def files(desk: Desk) -> list[Path]:
    """Every file of the state folder but the publication, which has what its publisher put there."""
    return [path for path in desk.settings.data.rglob("*") if path.is_file() and "published" not in path.parts]


def script(ids: list[str]) -> list[tuple[str, ...]]:
    """Every command, most of them once as it should be and once so that it fails."""
    reason = ("--reason", f"asked by {MAIL} with {KEY}")
    commands: list[tuple[str, ...]] = [
        ("plan",), ("plan", "--undo", ids[0], *reason), ("show",), ("show", ids[0]), ("show", MAIL), ("show", KEY),
        ("approve", ids[0], *reason), ("approve", ids[0], *reason), ("decline", MAIL, *reason), ("apply",),
        ("apply", KEY, "--send"), ("review", ids[0], "wrong", *reason), ("policy", "explain", ids[0]),
        ("policy", "promote", "courtesy_credit", "auto", *reason), ("halt", *reason), ("apply", "--send"),
        ("resume", *reason), ("apply", "--send"), ("apply", "--send"), ("reconcile",), ("retry", ids[0], *reason),
        ("decline", ids[1], *reason), ("log",), ("status",), ("audit", "verify"), ("audit", "verify", "--stripe"),
        ("audit", "export"), ("audit", "recover"), ("doctor",), ("reconcile", ids[0], "--found", KEY, *reason),
    ]  # fmt: skip
    return commands


@pytest.mark.parametrize("as_json", [False, True])
def test_no_key_and_no_address_is_in_any_output_or_file(desk: Desk, as_json: bool) -> None:
    planted(desk)
    assert command(desk, "plan", **KEYS).exit_code == 0
    said = []
    for arguments in script([action.action_id for action in desk.actions()]):
        if arguments == ("apply", "--send"):
            desk.world.faults = ["402"]  # whose message names a person
        ran = command(desk, *arguments, *(["--json"] if as_json else []), **KEYS)
        assert "Traceback" not in ran.stderr, (arguments, ran.stderr)
        said.append(f"{arguments} {ran.exit_code}")
        assert CANARY not in ran.output + ran.stderr, arguments
        if as_json and ran.exit_code != 2:
            assert json.loads(ran.stdout)["exit_code"] == ran.exit_code
    assert len(said) == 30
    assert len({line.split()[-1] for line in said}) >= 4, said  # it was not one failure over and over
    for path in files(desk):
        assert CANARY.encode() not in path.read_bytes(), path


def test_a_fault_of_our_own_is_shown_whole_and_filtered(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise ValueError(f"{MAIL} {KEY}")

    monkeypatch.setattr("actions.cli.choose", fail)
    ran = command(ready, "apply", **KEYS)
    assert ran.exit_code == 1
    assert "Traceback" in ran.stderr
    assert CANARY not in ran.stderr


def test_the_sdks_own_log_stays_silent(ready: Desk) -> None:
    ready.world.customer["email"] = MAIL
    more = {"STRIPE_LOG": "debug", "STRIPE_API_BASE": ready.settings.api_base, "METERWISE_WRITES_PER_SECOND": "0"}
    for arguments in (["apply"], ["apply", "--send"]):
        ran = run([sys.executable, "-m", "actions", *arguments], ready.settings.data, 60, **(more | KEYS))
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
        assert CANARY not in ran.stdout


def test_what_the_ledger_is_made_of_is_its_owners_alone(desk: Desk) -> None:
    before = os.umask(0o000)
    try:
        publish(desk.settings, credit())
        ran = [command(desk, *words) for words in (("plan",), ("status",), ("halt", "--reason", "x"), ("apply",))]
        command(desk, "audit", "export", "--to", str(desk.settings.data / "ledger" / "export.jsonl"))
    finally:
        os.umask(before)
    assert [one.exit_code for one in ran] == [0, 0, 0, 3]
    for folder in (desk.settings.ledger.parent, desk.settings.head.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


# What may stand between the braces of a statement: constants in capitals, and names that our own code fills.
FIXED = re.compile(r"_?[A-Z_]+|pragma|names|where|version")


WRITTEN = (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.JoinedStr)
SQL = ("execute", "executemany", "executescript", "query", "rows")


def statements() -> Iterator[tuple[str, ast.expr]]:
    """Of every call that takes SQL in actions/: the method, and the SQL as an expression."""
    for path in (ROOT / "actions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SQL:
                yield from ((node.func.attr, sql) for sql in node.args[:1])


def test_no_statement_is_put_together_from_what_comes_in() -> None:
    for method, sql in (found := list(statements())):
        assert isinstance(sql, WRITTEN), ast.unparse(sql)
        for part in sql.values if isinstance(sql, ast.JoinedStr) else ():
            if isinstance(part, ast.FormattedValue):
                assert FIXED.fullmatch(ast.unparse(part.value)), ast.unparse(sql)
        assert method != "rows" or isinstance(sql, ast.Constant), ast.unparse(sql)  # it is put behind WHERE
    assert len(found) > 10
