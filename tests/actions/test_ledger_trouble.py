"""When the ledger cannot be written nothing is sent, and nothing that was sent is forgotten."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import actions.ledger
from actions.errors import LedgerExposed, LedgerUnwritable, Locked
from actions.ledger import Event
from tests.actions.conftest import Desk, credit
from tests.actions.fault_server import ACCOUNT

NOBODY = 65_534


@contextmanager
def full_disk(desk: Desk) -> Iterator[None]:
    """No file of this process can grow, as on a full disk; the ledger's log would have to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = desk.settings.ledger.with_name("ledger.sqlite-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size if log.exists() else 0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_nothing_is_sent(memory_desk: Desk) -> None:
    memory_desk.approved(credit())
    with full_disk(memory_desk), pytest.raises(LedgerUnwritable, match="check space and permissions"):
        memory_desk.apply()
    assert memory_desk.world.writes == 0
    assert [result.end for result in memory_desk.apply()] == ["done"]
    assert sum(memory_desk.world.effects.values()) == 1


def test_a_disk_that_fills_up_during_the_call_stops_the_run_and_the_next_one_finds_the_effect(
    memory_desk: Desk,
) -> None:
    memory_desk.approved(credit(), credit(customer_id="cus_1"))
    writes = 0
    with ExitStack() as limits:

        def fill(key: str) -> None:
            nonlocal writes
            writes += 1
            limits.enter_context(full_disk(memory_desk))

        memory_desk.world.before_write = fill
        with pytest.raises(LedgerUnwritable):
            memory_desk.apply()
    memory_desk.world.before_write = None
    assert writes == 1  # the second action was not begun
    assert sum(memory_desk.world.effects.values()) == 1
    assert {result.end for result in memory_desk.apply()} == {"done"}
    assert sum(memory_desk.world.effects.values()) == 2
    assert set(memory_desk.world.effects.values()) == {1}


def test_a_head_that_cannot_be_written_stops_the_run_before_the_call(memory_desk: Desk) -> None:
    memory_desk.approved(credit())
    head = memory_desk.settings.head
    kept = head.read_bytes()
    head.unlink()
    head.symlink_to(head.with_name("elsewhere"))
    head.with_name("elsewhere").write_bytes(kept)
    with pytest.raises(LedgerUnwritable, match="symbolic link"):
        memory_desk.apply()
    assert memory_desk.world.writes == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_ledger_that_may_only_be_read_is_read_and_not_written(memory_desk: Desk) -> None:
    memory_desk.approved(credit())
    ledger = memory_desk.settings.ledger
    memory_desk.kinds()
    for path in (ledger.parent.parent.parent, *ledger.parent.parent.rglob("*"), ledger.parent.parent):
        path.chmod(0o755 if path.is_dir() else 0o644)
    os.seteuid(NOBODY)
    try:
        opened = memory_desk.ledger()
        assert len(opened.events()) == 3
        with pytest.raises(LedgerUnwritable), opened.write():
            opened.append(Event(kind="notified", account_id=ACCOUNT, reasoning="no"))
        opened.close()
    finally:
        os.seteuid(0)
    assert memory_desk.kinds() == ["planned", "approved"]


def test_another_writer_is_waited_for_and_then_named(memory_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    memory_desk.approved(credit())
    monkeypatch.setattr(actions.ledger, "BUSY_MS", 50)
    other = sqlite3.connect(memory_desk.settings.ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Locked, match="another process has been writing it"):
        memory_desk.apply()
    other.close()
    assert memory_desk.world.writes == 0


def test_every_file_of_the_ledger_is_its_owners_alone(memory_desk: Desk) -> None:
    os.umask(0o022)
    memory_desk.approved(credit())
    opened = memory_desk.ledger()
    with opened.write():
        files = [*memory_desk.settings.ledger.parent.iterdir(), memory_desk.settings.head]
        assert {path.name for path in files} >= {"ledger.sqlite", "ledger.sqlite-wal", "head.json"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.name != "ledger.lock"} == {0o600}
    folders = (memory_desk.settings.ledger.parent, memory_desk.settings.head.parent)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(memory_desk: Desk, mode: int) -> None:
    memory_desk.approved(credit())
    memory_desk.settings.ledger.parent.chmod(mode)
    with pytest.raises(LedgerExposed, match="run chmod go-w"):
        memory_desk.apply()


def test_a_ledger_that_is_a_link_is_refused(memory_desk: Desk, quick_path: Path) -> None:
    memory_desk.approved(credit())
    memory_desk.settings.ledger.rename(quick_path / "ledger.sqlite")
    memory_desk.settings.ledger.symlink_to(quick_path / "ledger.sqlite")
    with pytest.raises(LedgerExposed, match="is a link"):
        memory_desk.apply()
