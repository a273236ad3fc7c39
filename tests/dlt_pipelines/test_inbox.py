"""The inbox keeps each event once, durably, and gives it to loads until one has taken it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines import inbox
from dlt_pipelines.errors import InboxFailed
from dlt_pipelines.inbox import Arrival, Inbox, Verdict
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.receiving import FORKS

STAMP = datetime(2026, 11, 22, 13, 0, tzinfo=UTC).replace(tzinfo=None)  # naive UTC, as the loader keeps times
LANDED, KNOWN, FOREIGN = Verdict.LANDED, Verdict.KNOWN, Verdict.FOREIGN


def arrival(event_id: str, *, livemode: bool = False, account: str | None = None, body: bytes = b"{}") -> Arrival:
    return Arrival(event_id, "invoice.paid", 1_793_000_000, livemode, account, body)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def box(here: Settings) -> Iterator[Inbox]:
    with closing(Inbox(here.inbox)) as opened:
        yield opened


def test_without_an_inbox_nothing_is_pending_and_nothing_is_made(here: Settings) -> None:
    assert inbox.pending(here) == []
    assert inbox.waiting(here) == (0, 0)
    inbox.mark_loaded(here, ["evt_1"], STAMP)
    assert not here.inbox.exists()


def test_events_are_given_byte_by_byte_and_oldest_first(here: Settings, box: Inbox) -> None:
    bodies = [b'{"a": 1.10}\r\n', b'{"b":1e5}', '{"c": "é\\u0000"}'.encode()]
    for number, body in enumerate(bodies):
        box.land([arrival(f"evt_{9 - number}", body=body)])
    assert inbox.pending(here) == [("evt_9", bodies[0]), ("evt_8", bodies[1]), ("evt_7", bodies[2])]


def test_a_repeated_delivery_is_known_before_and_after_its_load(here: Settings, box: Inbox) -> None:
    assert box.land([arrival("evt_1"), arrival("evt_2"), arrival("evt_1", body=b"other")]) == [LANDED, LANDED, KNOWN]
    inbox.mark_loaded(here, ["evt_1"], STAMP)
    assert box.land([arrival("evt_1")]) == [KNOWN]
    assert inbox.pending(here) == [("evt_2", b"{}")]


def test_a_loaded_events_body_is_gone_and_its_load_is_known(here: Settings, box: Inbox) -> None:
    box.land([arrival("evt_1", body=b"somebody@example.com")])
    inbox.mark_loaded(here, ["evt_1", "evt_never_seen"], STAMP)
    with closing(sqlite3.connect(here.inbox)) as db:
        rows = db.execute("select id, body, loaded_at from event").fetchall()
    assert rows == [("evt_1", b"", "2026-11-22T13:00:00")]


def test_loaded_events_are_forgotten_after_thirty_days_and_others_never(here: Settings, box: Inbox) -> None:
    box.land([arrival("evt_old_loaded"), arrival("evt_old_waiting"), arrival("evt_loaded")])
    inbox.mark_loaded(here, ["evt_old_loaded", "evt_loaded"], STAMP)
    with closing(sqlite3.connect(here.inbox)) as db, db:
        db.execute("update event set received_at = received_at - 2592001 where id like 'evt_old%'")
    inbox.mark_loaded(here, [], STAMP)
    with closing(sqlite3.connect(here.inbox)) as db:
        kept = {row[0] for row in db.execute("select id from event")}
    assert kept == {"evt_old_waiting", "evt_loaded"}


def test_what_one_load_takes_is_bounded_in_bytes(here: Settings, box: Inbox) -> None:
    box.land([arrival(f"evt_{number}", body=b"x" * 100) for number in range(10)])
    assert [each for each, _ in inbox.pending(here, at_once=250)] == ["evt_0", "evt_1", "evt_2"]


def test_arrival_numbers_are_never_given_twice(here: Settings, box: Inbox) -> None:
    box.land([arrival("evt_1")])
    _, first = inbox.waiting(here)
    with closing(sqlite3.connect(here.inbox)) as db, db:
        db.execute("delete from event")
    box.land([arrival("evt_2")])
    assert inbox.waiting(here) == (1, first + 1)


def test_the_inbox_takes_events_of_its_account_and_mode_only(here: Settings, box: Inbox) -> None:
    assert inbox.remember_account(here, "acct_ours", is_live=True) == 0
    live, test = arrival("evt_1", livemode=True), arrival("evt_2")
    of_ours, of_another = (arrival(f"evt_{each}", livemode=True, account=f"acct_{each}") for each in ("ours", "theirs"))
    assert box.land([live, test, of_ours, of_another]) == [LANDED, FOREIGN, LANDED, FOREIGN]
    assert [each for each, _ in inbox.pending(here)] == ["evt_1", "evt_ours"]


def test_the_first_load_drops_what_came_from_another_mode_before_it(here: Settings, box: Inbox) -> None:
    connected = arrival("evt_connected", account="acct_connected")
    assert box.land([arrival("evt_test"), arrival("evt_live", livemode=True), connected]) == [LANDED] * 3
    assert inbox.remember_account(here, "acct_ours", is_live=False) == 2
    assert inbox.remember_account(here, "acct_ours", is_live=False) == 0
    assert [each for each, _ in inbox.pending(here)] == ["evt_test"]


def test_another_account_never_gets_the_events_of_the_one_before(here: Settings, box: Inbox) -> None:
    inbox.remember_account(here, "acct_before", is_live=False)
    box.land([arrival("evt_1")])
    assert inbox.remember_account(here, "acct_after", is_live=False) == 1
    assert inbox.pending(here) == []


def test_the_inbox_is_for_its_owners_eyes(here: Settings) -> None:
    here.inbox.parent.mkdir()
    here.inbox.touch(0o644)
    with closing(Inbox(here.inbox)) as box:
        box.land([arrival("evt_1")])
        files = list(here.inbox.parent.iterdir())
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}, files


def test_commits_are_synced_to_disk(box: Inbox) -> None:
    assert box._db.execute("pragma synchronous").fetchone() == (2,)  # FULL
    assert box._db.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_load_reads_and_marks_while_events_land(here: Settings, box: Inbox) -> None:
    stop = threading.Event()
    landed: list[str] = []

    def land() -> None:
        while not stop.is_set():
            landed.append(f"evt_{len(landed)}")
            box.land([arrival(landed[-1])])
            time.sleep(0.002)

    thread = threading.Thread(target=land)
    thread.start()
    taken: list[str] = []
    try:
        while len(taken) < 60:
            ids = [each for each, _ in inbox.pending(here)]
            inbox.mark_loaded(here, ids, STAMP)
            taken += ids
    finally:
        stop.set()
        thread.join()
    assert taken + [each for each, _ in inbox.pending(here)] == landed


def test_an_inbox_removed_under_the_receiver_is_made_again(here: Settings, box: Inbox) -> None:
    box.land([arrival("evt_1")])
    for file in here.inbox.parent.iterdir():
        file.unlink()
    assert box.land([arrival("evt_2")]) == [LANDED]
    assert [each for each, _ in inbox.pending(here)] == ["evt_2"]


def test_a_receiver_recovers_when_its_folder_is_there_again(here: Settings, box: Inbox) -> None:
    away = here.data / "away"
    here.inbox.parent.rename(away)
    here.inbox.parent.touch()  # a file where the folder should be
    for _ in range(2):
        with pytest.raises(InboxFailed):
            box.land([arrival("evt_1")])
    here.inbox.parent.unlink()
    assert box.land([arrival("evt_1")]) == [LANDED]
    assert [each for each, _ in inbox.pending(here)] == ["evt_1"]


def test_looking_into_an_inbox_that_is_being_made_finds_nothing(here: Settings) -> None:
    here.inbox.parent.mkdir()
    here.inbox.touch()
    assert inbox.waiting(here) == (0, 0)
    assert inbox.pending(here) == []


def test_processes_that_make_the_inbox_at_once_do_not_disturb_each_other(here: Settings) -> None:
    gate = FORKS.Barrier(4)
    processes = [FORKS.Process(target=_make_and_land, args=(here, gate, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(each for each, _ in inbox.pending(here)) == [f"evt_{number}" for number in range(4)]


def _make_and_land(here: Settings, gate: Barrier, number: int) -> None:
    gate.wait()
    with closing(Inbox(here.inbox)) as box:
        box.land([arrival(f"evt_{number}")])


@pytest.mark.parametrize("made", ["not a database, and longer than a header of a hundred bytes" * 3, None])
def test_an_inbox_that_cannot_be_used_is_one_sentence(here: Settings, made: str | None) -> None:
    if made is None:
        here.data.joinpath("landing").touch()  # a file where the folder should be
    else:
        here.inbox.parent.mkdir()
        here.inbox.write_text(made)
        with pytest.raises(InboxFailed, match="not a database"):
            inbox.pending(here)
    with pytest.raises(InboxFailed, match="inbox"):
        Inbox(here.inbox)


deliveries = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 5)), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(deliveries, st.data())
def test_any_order_of_repeated_deliveries_and_batches_leaves_the_same_inbox(
    tmp_path_factory: pytest.TempPathFactory, each_times: list[tuple[int, int]], data: st.DataObject
) -> None:
    here = Settings(data=tmp_path_factory.mktemp("shuffled"))
    sent = [number for number, times in each_times for _ in range(times)]
    shuffled = data.draw(st.permutations(sent))
    with closing(Inbox(here.inbox)) as box:
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            box.land([arrival(f"evt_{number}", body=b"body %d" % number) for number in shuffled[:size]])
            shuffled = shuffled[size:]
    assert sorted(inbox.pending(here)) == [(f"evt_{number}", b"body %d" % number) for number in sorted(set(sent))]
