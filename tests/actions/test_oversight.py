"""The commands around plan, approve and apply: undo, review, halt, stuck actions, a damaged ledger, the policy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from actions import screen
from actions.ids import canon
from actions.port import StripeWriter
from tests.actions.conftest import KINDS, Desk, command, credit, upgrade
from tests.actions.rows import NO_CALL, ONE_CALL, TWO_CALLS

ROWS = KINDS | ONE_CALL | TWO_CALLS | NO_CALL
WHY = ("--reason", "because")


def code(desk: Desk, *arguments: str, **environ: str) -> int:
    return command(desk, *arguments, **environ).exit_code


def first(desk: Desk) -> str:
    return desk.actions()[0].action_id


def test_a_done_action_is_undone_by_a_plan_that_is_approved_and_applied(ready: Desk) -> None:
    assert code(ready, "plan", "--undo", first(ready), *WHY) == 6  # nothing was done yet
    assert code(ready, "apply", "--send") == 0
    assert code(ready, "plan", "--undo", first(ready)) == 2  # a reason is part of it
    planned = command(ready, "plan", "--undo", first(ready), *WHY)
    assert planned.exit_code == 0
    assert f"undoes {first(ready)}" in planned.stdout
    undo = ready.actions()[-1].action_id
    assert code(ready, "approve", undo, *WHY) == 0
    assert code(ready, "apply", undo, "--send") == 0
    assert [action.state for action in ready.actions()] == ["undone", "done"]
    assert sum(found["amount"] for found in ready.world.balance) == 0


def test_halt_stops_the_next_call_and_resume_lets_it_go_on(ready: Desk) -> None:
    assert code(ready, "halt", *WHY) == 0
    assert code(ready, "apply", "--send") == 6
    assert ready.world.writes == 0
    assert "HALT" in command(ready, "status").stdout
    assert code(ready, "resume", *WHY) == 0
    assert code(ready, "apply", "--send", METERWISE_HALT="1") == 6
    assert code(ready, "resume", *WHY, METERWISE_HALT="1") == 6
    assert code(ready, "apply", "--send") == 0
    assert [row["kind"] for row in log(ready) if row["action_id"] is None] == ["genesis", "halted", "resumed"]


def log(desk: Desk) -> list[dict[str, object]]:
    events: list[dict[str, object]] = json.loads(command(desk, "log", "--json").stdout)["events"]
    return events


def test_halt_works_when_the_ledger_cannot_be_opened(ready: Desk) -> None:
    ready.settings.head.unlink()
    assert code(ready, "halt", *WHY) == 7
    assert (ready.settings.ledger.parent / "HALT").exists()


def test_a_damaged_ledger_can_be_read_and_not_acted_on(ready: Desk) -> None:
    ready.settings.head.unlink()
    looks: list[tuple[str, ...]] = [("show",), ("show", first_shown(ready)), ("log",), ("status",)]
    for words in looks:
        shown = command(ready, *words)
        assert shown.exit_code == 7
        assert "courtesy_credit" in shown.stdout or "approved" in shown.stdout
        assert "head" in shown.stderr
    for refused in (("apply", "--send"), ("apply",), ("approve", "x", *WHY), ("resume", *WHY), ("audit", "verify")):
        assert code(ready, *refused) == 7
    assert ready.world.requests == []


def first_shown(desk: Desk) -> str:
    return command(desk, "show").stdout.splitlines()[1].split()[0]


@pytest.mark.parametrize("is_there", [False, True])
def test_what_is_stuck_is_told_with_the_way_on_until_a_person_decides(ready: Desk, is_there: bool) -> None:
    ready.world.faults = ["drop before"] * 4
    assert [result.end for result in ready.apply()] == ["ambiguous"]
    told = command(ready, "status")
    assert told.exit_code == 5
    assert "reconcile" in told.stdout
    assert first(ready)[3:10] in told.stdout
    assert code(ready, "reconcile") == 5  # it is not there
    by_hand = StripeWriter("rk_test_x", ready.settings, ready.clock).post(
        "/v1/customers/cus_1/balance_transactions", {"amount": -1200, "currency": "usd"}, "by hand"
    )
    decision = ("--found", str(by_hand.body["id"]) + "\u200b") if is_there else ("--absent",)
    decided = command(ready, "reconcile", first(ready), *decision, *WHY)
    assert decided.exit_code == (0 if is_there else 1), decided.output
    assert code(ready, "status") == 0
    assert code(ready, "reconcile") == 3
    assert ready.actions()[0].state == ("done" if is_there else "failed")


@pytest.mark.parametrize(
    "words",
    [
        ("reconcile", "--absent"), ("reconcile", "{id}", "--absent"), ("reconcile", "{id}", "--found", "x"),
        ("reconcile", "{id}", "--found", "x", "--absent", *WHY), ("review", "{id}", "perhaps", *WHY),
        ("approve", "{id}"), ("approve", "{id}", "--reason", " \u200b"), ("policy", "promote", "x", "never", *WHY),
        ("plan", "--limit", "0"), ("approve", "{id}", "--actor", "grace", *WHY),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(ready: Desk, words: tuple[str, ...]) -> None:
    before = ready.kinds()
    assert code(ready, *(word.replace("{id}", first(ready)) for word in words)) == 2
    assert ready.kinds() == before


def test_an_action_that_is_not_stuck_is_neither_retried_nor_decided(ready: Desk) -> None:
    assert code(ready, "retry", first(ready), *WHY) == 6
    assert code(ready, "reconcile", first(ready), "--absent", *WHY) == 6
    assert ready.world.writes == 0


def test_a_review_is_kept_and_changes_nothing_about_the_action(ready: Desk) -> None:
    assert code(ready, "review", first(ready), "agree", *WHY) == 0
    assert code(ready, "review", "in_1", "wrong", *WHY) == 0
    assert ready.actions()[0].state == "approved"
    assert [row["kind"] for row in log(ready)][-2:] == ["reviewed", "reviewed"]


def test_a_review_of_an_invoice_that_nobody_explained_is_refused_where_explanations_are_published(ready: Desk) -> None:
    with duckdb.connect(str(ready.settings.published)) as db:
        db.execute("create table marts.invoice_explanations as select 'in_1' as invoice_id")
    refused = command(ready, "review", "in_7", "agree", *WHY)
    assert (refused.exit_code, "no explanation of an invoice 'in_7'" in refused.stderr) == (1, True)
    assert code(ready, "review", "in_1", "agree", *WHY) == 0
    assert [row["object_id"] for row in log(ready) if row["kind"] == "reviewed"] == ["in_1"]


def test_the_policy_explains_each_rule_and_a_promotion_needs_evidence(ready: Desk) -> None:
    told = command(ready, "policy", "explain", first(ready))
    assert told.exit_code == 0
    assert "courtesy credits up to 500" in told.stdout
    assert "phase assisted" in told.stdout
    refused = command(ready, "policy", "promote", "courtesy_credit", "auto", *WHY)
    assert refused.exit_code == 6
    assert "days" in refused.stderr
    assert code(ready, "policy", "promote", "courtesy_credit", "shadow", *WHY) == 0
    assert code(ready, "apply", "--send") == 6
    assert ready.world.writes == 0
    assert code(ready, "apply") == 0


def test_everybody_is_who_the_operating_system_says_also_without_a_name(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # as in a container that runs as a bare number
    assert code(ready, "decline", first(ready), *WHY) == 0
    assert (log(ready)[-1]["actor"], log(ready)[-1]["actor_assurance"]) == ("uid 54321", "os_user")


def test_an_export_can_be_restored_elsewhere_and_verified(ready: Desk, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    assert code(ready, "audit", "export", "--to", str(file)) == 0
    assert command(ready, "audit", "export").stdout == file.read_text()
    assert [json.dumps(line) for line in json.loads(command(ready, "audit", "export", "--json").stdout)["lines"]]
    there = {"METERWISE_DATA": str(tmp_path / "there")}
    assert code(ready, "audit", "restore", str(file), **there) == 0
    assert code(ready, "audit", "verify", **there) == 0
    assert code(ready, "audit", "restore", str(file), **there) == 6


def test_an_unheard_of_setting_is_one_sentence(ready: Desk) -> None:
    failed = command(ready, "status", METERWISE_STRIPE_TIMEOUT="soon")
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1
    assert "METERWISE_STRIPE_TIMEOUT" in failed.stderr


def test_a_rehearsal_of_everything_shows_before_and_after_of_what_nobody_approved(desk: Desk) -> None:
    desk.publish(credit(), upgrade())
    assert code(desk, "plan") == 0
    assert code(desk, "apply") == 3
    told = command(desk, "apply", "--all")
    assert told.exit_code == 0
    assert told.stdout.count("shadowed") == 2
    assert "POST /v1/subscriptions/" in told.stdout
    assert not desk.world.effects


@pytest.mark.parametrize("kind", ROWS)
def test_every_kind_has_a_screen_to_decide_on(memory_desk: Desk, kind: str) -> None:
    memory_desk.approved(ROWS[kind]())
    memory_desk.apply(send=False)
    (action,) = memory_desk.actions()
    text = screen.everything(action, {"reason": "because", "evidence": "{}", "expected_value_minor": 900})
    for part in ("what changes in Stripe", "undo", "money at stake", "1 of 1", "because", "policy:", "shadowed"):
        assert part in text
    assert "reasoning" in text
    assert "not known" not in text
    json.dumps(screen.facts(action))


def test_an_action_whose_plan_was_lost_has_a_screen_too(memory_desk: Desk) -> None:
    (action,) = memory_desk.approved(credit())
    lost = action.plan | {"steps": [], "precondition": {}, "recovered": True} | dict.fromkeys(("as_of", "expires_at"))
    events = (replace(action.events[0], body=canon(lost), currency=None, amount_minor=None),)
    assert "recover" in screen.everything(replace(action, events=events), {})


@pytest.mark.parametrize("name", ["METERWISE_STRIPE_TIMEOUT", "METERWISE_WRITES_PER_SECOND"])
@pytest.mark.parametrize("value", ["nan", "-1", "inf", "x"])
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_sent(ready: Desk, name: str, value: str) -> None:
    ended = command(ready, "apply", "--send", **{name: value})
    assert (ended.exit_code, ready.world.writes) == (1, 0)
    assert "correct it in .env" in ended.stderr


def test_halt_is_kept_where_there_is_no_ledger_yet(desk: Desk) -> None:
    assert code(desk, "halt", *WHY) == 3
    assert desk.settings.ledger.with_name("HALT").exists()


def test_an_export_to_a_file_says_how_much_and_where(ready: Desk, tmp_path: Path) -> None:
    to = tmp_path / "ledger.jsonl"
    said = command(ready, "audit", "export", "--to", str(to)).stdout
    count = len(log(ready))
    assert said.splitlines() == [f"{count} events written to {to}"]
    assert command(ready, "show", "x" * 10_000).stderr.endswith("4 characters are needed\n")
