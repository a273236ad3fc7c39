"""What is exported comes back whole, and an old copy of the ledger learns from Stripe what it has forgotten."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from actions.audit import export, recover, restore, verify, verify_with_stripe
from actions.chain import write_head
from actions.errors import (
    LedgerAltered,
    LedgerBehind,
    LedgerThere,
    NotAnExport,
    NothingToDo,
    StripeUnusable,
    WrongAccount,
)
from actions.ledger import Ledger, create
from tests.actions.conftest import ME, Desk, command, credit, offer, upgrade
from tests.actions.fault_server import CUSTOMER
from tests.actions.rows import NO_CALL, ONE_CALL, TWO_CALLS, alert


@pytest.fixture
def used(memory_desk: Desk) -> Desk:
    """Three actions that are done; two of them on one subscription, where the later tags hide the earlier."""
    memory_desk.approved(credit(), offer(), upgrade())
    assert {result.end for result in memory_desk.apply()} == {"done"}
    return memory_desk


def exported(desk: Desk, until: int | None = None) -> list[str]:
    """The lines of an export, as it was made when the ledger ended at event `until`."""
    out = io.StringIO()
    ledger = desk.ledger()
    assert export(ledger, out) == ledger.last().seq
    header, *events = out.getvalue().splitlines(keepends=True)
    kept = events[:until]
    return [json.dumps(json.loads(header) | {"events": len(kept), "hash": json.loads(kept[-1])["hash"]}), *kept]


def without_ledger(desk: Desk) -> Desk:
    """The same state folder: the head is there, the ledger is not."""
    for path in desk.settings.ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    return desk


def put_back(desk: Desk, lines: list[str]) -> None:
    restore(lines, without_ledger(desk).settings.ledger, desk.settings.head, desk.clock)


def behind(desk: Desk) -> Ledger:
    return Ledger(desk.settings.ledger, desk.settings.head, desk.clock, despite_damage=True)


def test_an_export_restored_elsewhere_is_the_same_ledger(used: Desk, tmp_path: Path) -> None:
    lines = exported(used)
    other = replace(used, settings=replace(used.settings, data=tmp_path / "other"))
    assert restore(iter(lines), other.settings.ledger, other.settings.head, used.clock) == len(lines) - 1
    assert [path.name for path in other.settings.ledger.parent.iterdir()] == ["ledger.sqlite"]
    assert list(other.ledger().rows()) == list(used.ledger().rows())
    assert verify(other.ledger()) == len(lines) - 1
    assert exported(other) == lines
    with pytest.raises(NothingToDo, match="nothing is approved"):
        other.apply()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda lines: lines[:-1], "it ends at event"),
        (lambda lines: [lines[0], *lines[2:]], "event 1 is missing"),
        (lambda lines: [*lines[:3], lines[3].replace("usd", "eur"), *lines[4:]], "event 3 was altered"),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "no whole export"),
        (lambda lines: [*lines[:-1], '{"seq": 1}'], "no whole export"),
        (lambda lines: lines[1:], "no whole export"),
        (lambda lines: ["[]"], "no whole export"),
        (lambda lines: [], "no whole export"),
        (lambda lines: [lines[0].replace("ledger 1", "ledger 2"), *lines[1:]], "ledger 2"),
    ],
)
def test_an_export_that_is_not_whole_or_was_altered_is_refused_and_nothing_is_put_in_place(
    used: Desk, harm: object, says: str
) -> None:
    assert callable(harm)
    lines = harm(exported(used))
    head = used.settings.head.read_bytes()
    with pytest.raises((NotAnExport, LedgerAltered), match=says):
        put_back(used, lines)
    assert not used.settings.ledger.exists()
    assert used.settings.head.read_bytes() == head


def test_a_restore_overwrites_nothing(used: Desk) -> None:
    before = used.ledger().last()
    with pytest.raises(LedgerThere, match="is not overwritten"):
        restore(exported(used, 3), used.settings.ledger, used.settings.head, used.clock)
    assert used.ledger().last() == before


def test_an_old_copy_put_back_at_any_event_does_nothing_twice_once_it_is_recovered(used: Desk) -> None:
    """Each copy: refused, recovered from Stripe, planned and approved again, applied. Stripe has forgotten all keys."""
    lines, end = exported(used), used.ledger().last()
    done = sum(used.world.effects.values())
    kept = used.settings.head.read_bytes()
    for seq in range(1, end.seq):
        used.settings.head.write_bytes(kept)
        put_back(used, exported_until(lines, seq))
        used.world.keys.clear()
        with pytest.raises(LedgerBehind, match=f"ends at event {seq}, its head says {end.seq}"):
            used.apply()
        ledger = behind(used)
        recover(ledger, used.port(send=False), ME)
        ledger.close()
        used.approve(*[action for action, _ in used.plan().new])
        with pytest.raises(NothingToDo):
            used.apply()
        assert sum(used.world.effects.values()) == done, seq
        assert {action.state for action in used.actions()} == {"done"}
        assert verify_with_stripe(used.ledger(), used.port(send=False)) == []


def test_no_kind_is_done_twice_after_an_old_copy(memory_desk: Desk) -> None:
    """Every kind, two-step ones among them, by copies of many ages; what is left of an action may then be refused."""
    makers = {**ONE_CALL, **TWO_CALLS, **NO_CALL}
    memory_desk.approved(*[make(number) for number, make in enumerate(makers.values(), start=1)])
    assert {result.end for result in memory_desk.apply()} == {"done"}
    lines, end, kept = exported(memory_desk), memory_desk.ledger().last().seq, memory_desk.settings.head.read_bytes()
    done = memory_desk.world.done.copy()
    for seq in range(1, end, 3):
        memory_desk.settings.head.write_bytes(kept)
        put_back(memory_desk, exported_until(lines, seq))
        memory_desk.world.keys.clear()
        ledger = behind(memory_desk)
        recover(ledger, memory_desk.port(send=False), ME)
        ledger.close()
        memory_desk.approve(*[action for action, _ in memory_desk.plan().new])
        with suppress(NothingToDo):
            memory_desk.apply()
        assert memory_desk.world.done == done, seq


def exported_until(lines: list[str], seq: int) -> list[str]:
    header = json.loads(lines[0]) | {"events": seq, "hash": json.loads(lines[seq])["hash"]}
    return [json.dumps(header), *lines[1 : seq + 1]]


def test_a_recovery_that_is_killed_before_the_head_is_run_again(used: Desk) -> None:
    head = used.settings.head.read_bytes()
    put_back(used, exported(used, 1))
    first, again = behind(used), behind(used)
    assert recover(first, used.port(send=False), ME) == 3
    first.close()
    used.settings.head.write_bytes(head)
    again = behind(used)
    assert recover(again, used.port(send=False), ME) == 0
    assert used.kinds() == [*["planned", "reconciled"] * 3, "restored", "restored"]


def test_a_ledger_of_which_nothing_is_left_begins_anew_with_what_stripe_knows(used: Desk) -> None:
    without_ledger(used)
    with pytest.raises(LedgerAltered, match="is gone"):
        used.ledger()
    create(used.settings.ledger)
    with pytest.raises(LedgerBehind, match="ends at event 0"):
        used.ledger()
    assert recover(behind(used), used.port(send=False), ME) == 3
    assert used.plan().new == []
    assert used.kinds() == [*["planned", "reconciled"] * 3, "restored"]


def test_an_old_ledger_restored_with_its_old_head_is_brought_up_to_date_as_well(used: Desk) -> None:
    lines = exported(used, 4)
    used.settings.head.unlink()
    put_back(used, lines)
    assert verify(used.ledger()) == 4  # nothing here tells that it is old
    assert recover(behind(used), used.port(send=False), ME) == 3
    assert used.plan().new == []
    assert {action.state for action in used.actions()} == {"done"}


def test_a_ledger_that_was_rewritten_is_not_recovered(used: Desk) -> None:
    port = used.port(send=False)
    with pytest.raises(NothingToDo, match="knows all that was done"):
        recover(behind(used), port, ME)
    last = used.ledger().last()
    write_head(used.settings.head, replace(last, hash="h2:" + "0" * 64), is_forced=True)
    with pytest.raises(LedgerAltered, match="was rewritten"):
        recover(behind(used), port, ME)


def test_a_lost_head_is_made_again(used: Desk) -> None:
    used.settings.head.unlink()
    assert recover(behind(used), used.port(send=False), ME) == 0
    assert used.kinds()[-1] == "restored"


def test_nothing_is_accepted_while_stripe_cannot_be_asked_or_another_account_answers(used: Desk) -> None:
    put_back(used, exported(used, 4))
    used.world.get_faults[:] = ["", "", "500"]
    with pytest.raises(StripeUnusable):
        recover(behind(used), used.port(send=False), ME)
    used.world.account = "acct_other"
    with pytest.raises(WrongAccount, match="acct_other"):
        recover(behind(used), used.port(send=False), ME)
    assert behind(used).last().seq == 4


def test_a_damaged_ledger_can_be_read_and_not_be_written(used: Desk) -> None:
    put_back(used, exported(used, 4))
    ledger = behind(used)
    assert isinstance(ledger.damage, LedgerBehind)
    assert len(ledger.events()) == 4
    with pytest.raises(LedgerBehind), ledger.write():
        pytest.fail("it must not come here")


@pytest.fixture
def witness(used: Desk) -> Desk:
    assert verify_with_stripe(used.ledger(), used.port(send=False)) == []
    return used


def test_an_object_that_carries_an_action_nobody_sent_is_an_alarm(witness: Desk) -> None:
    stranger = f"h1:{'f' * 32}-12345678"
    witness.world.customer["metadata"] = {"meterwise_action": stranger, "meterwise_step": "0"}
    [said] = verify_with_stripe(witness.ledger(), witness.port(send=False))
    assert said == f"customer {CUSTOMER} carries {stranger}, step 0: this ledger sent no such"


def test_an_object_that_no_list_shows_is_read_by_its_own_path(memory_desk: Desk) -> None:
    memory_desk.approved(alert())
    memory_desk.apply()
    kept = memory_desk.world.objects.by_path
    [(path, made)] = [(path, found) for path, found in kept.items() if "/alerts/" in path]
    assert verify_with_stripe(memory_desk.ledger(), memory_desk.port(send=False)) == []
    memory_desk.world.objects.listed = lambda path, query: []  # type: ignore[method-assign] # Stripe as it lies
    assert verify_with_stripe(memory_desk.ledger(), memory_desk.port(send=False)) == []
    del kept[path]
    [said] = verify_with_stripe(memory_desk.ledger(), memory_desk.port(send=False))
    assert made["id"] in said


def test_an_outcome_whose_object_is_not_in_stripe_is_an_alarm_unless_its_customer_is_deleted(witness: Desk) -> None:
    [paid] = witness.world.balance
    kept = witness.world.objects.by_path
    for path in [path for path in kept if "/events/" in path or path.endswith(paid["id"])]:
        del kept[path]
    [said] = verify_with_stripe(witness.ledger(), witness.port(send=False))
    assert f"{paid['id']} was made or changed, and Stripe has no such object" in said
    witness.world.customer.update(deleted=True)
    assert verify_with_stripe(witness.ledger(), witness.port(send=False)) == []


def test_the_commands_take_a_lost_ledger_through_export_restore_and_recover(desk: Desk, tmp_path: Path) -> None:
    rows = credit(), offer()
    desk.publish(*rows)
    desk.approve(*[action for action, _ in desk.plan().new])
    file = tmp_path / "ledger.jsonl"
    assert command(desk, "audit", "export", "--to", str(file)).exit_code == 0
    desk.apply()
    without_ledger(desk)
    assert command(desk, "status").exit_code == 7
    assert command(desk, "audit", "restore", str(file)).exit_code == 0
    assert command(desk, "audit", "verify").exit_code == 7
    assert command(desk, "apply", "--send").exit_code == 7
    done = command(desk, "audit", "recover")
    assert (done.exit_code, "2 outcomes learned from Stripe" in done.output) == (0, True), done.output
    assert command(desk, "audit", "verify", "--stripe").exit_code == 0
    without_ledger(desk)
    assert command(desk, "audit", "recover").exit_code == 0
    assert command(desk, "apply", "--send").exit_code == 3
    assert sum(desk.world.effects.values()) == 2


def test_what_somebody_typed_into_metadata_does_not_reach_the_ledger(used: Desk) -> None:
    without_ledger(used)
    create(used.settings.ledger)
    [paid] = used.world.balance
    paid["metadata"]["meterwise_plan"] = "for Ada Lovelace"
    paid["metadata"]["meterwise_step"] = "Ada"
    used.world.customer["metadata"] = {"meterwise_action": "Ada Lovelace", "meterwise_plan": "Lovelace"}
    recover(behind(used), used.port(send=False), ME)
    assert "Lovelace" not in "".join(str(row) for row in used.ledger().rows())
