"""alerts.jsonl: each change of the mart once, one whole line each, whatever is killed on the way."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ml import alerts
from ml.errors import AlertsLocked, NothingToDo
from ml.settings import Settings
from tests.commands import ROOT
from tests.ml.conftest import settings_in

COLUMNS = dict.fromkeys(alerts.COLUMNS, "varchar") | {
    "is_acknowledged": "boolean",
    **dict.fromkeys(("first_seen_on", "last_seen_on", "as_of"), "date"),
}


def row(key: str, **other: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(COLUMNS)
    found |= {
        "account_id": "acct_1",
        "dedupe_key": key,
        "kind": "drift",
        "severity": "warning",
        "owner": "Data science",
    }
    found |= {"state": "open", "title": f"{key} moved\nfar", "body": "…", "is_acknowledged": False}
    return found | dict.fromkeys(("first_seen_on", "last_seen_on", "as_of"), "2026-10-31") | other


def mart(settings: Settings, rows: list[dict[str, Any]]) -> None:
    """The mart, made anew."""
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists marts")
        con.execute(f"create or replace table marts.alerts ({', '.join(map(' '.join, COLUMNS.items()))})")
        for one in rows:
            con.execute(f"insert into marts.alerts values ({', '.join('?' * len(COLUMNS))})", list(one.values()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def lines(settings: Settings) -> list[dict[str, Any]]:
    text = (settings.data / alerts.FILE).read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def ran(settings: Settings) -> list[tuple[str, str]]:
    """What the run appended, as (event, key)."""
    before = len(lines(settings)) if (settings.data / alerts.FILE).exists() else 0
    try:
        alerts.run(settings, lambda line: None)
    except NothingToDo:
        assert len(lines(settings)) == before
    return [(line["event"], line["dedupe_key"]) for line in lines(settings)[before:]]


def test_each_change_is_one_line_and_a_second_run_appends_nothing(settings: Settings) -> None:
    mart(settings, [row("a"), row("b"), row("old", state="closed")])
    assert ran(settings) == [("opened", "a"), ("opened", "b")]  # what was over before anybody was told is no news
    assert ran(settings) == []
    later = {"last_seen_on": "2026-11-01", "as_of": "2026-11-01", "body": "three more"}
    mart(settings, [row("a", **later), row("b", severity="critical"), row("old", state="closed")])
    assert ran(settings) == [("changed", "b")]
    mart(settings, [row("a", is_acknowledged=True), row("b", severity="critical", state="closed")])
    assert ran(settings) == [("acknowledged", "a"), ("closed", "b")]
    mart(settings, [row("a", is_acknowledged=True), row("b")])
    assert ran(settings) == [("opened", "b")]
    newest = lines(settings)[-1]
    assert newest["first_seen_on"] == "2026-10-31"
    assert newest["customer_id"] is None
    assert newest["is_acknowledged"] is False
    assert (settings.data / alerts.FILE).stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_cut_off_and_told_again(settings: Settings) -> None:
    mart(settings, [row("a"), row("b")])
    ran(settings)
    path = settings.data / alerts.FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] if whole.count(b"\n") == 2 else whole)
    alerts.run(settings, lambda line: None)
    assert [line["dedupe_key"] for line in lines(settings)] == ["a", "b"]


def test_a_line_that_somebody_edited_is_passed_over_and_kept(settings: Settings) -> None:
    mart(settings, [row("a")])
    (settings.data / alerts.FILE).write_text('# by hand\n[1]\n{"dedupe_key": "a"}\n')
    alerts.run(settings, lambda line: None)
    text = (settings.data / alerts.FILE).read_text().splitlines()
    assert text[:3] == ["# by hand", "[1]", '{"dedupe_key": "a"}']
    assert len(text) == 4


def test_killed_midway_it_leaves_whole_lines_and_the_next_run_goes_on(settings: Settings) -> None:
    mart(settings, [row(f"k{i:04d}") for i in range(300)])
    slow = (
        "import os, time\nfrom ml import alerts\nfrom tests.ml.conftest import settings_in\nfrom pathlib import Path\n"
        "write = os.write\n"
        "def slowly(where, what):\n    time.sleep(.005)\n    return write(where, what)\n"
        f"os.write = slowly\nalerts.run(settings_in(Path({str(settings.data)!r})), print)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", slow], cwd=ROOT)
    path = settings.data / alerts.FILE
    for _ in range(2000):
        if path.exists() and path.stat().st_size > 3000:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    told = len(lines(settings))
    assert 0 < told < 300
    assert len(ran(settings)) == 300 - told
    assert len({line["dedupe_key"] for line in lines(settings)}) == 300


def test_two_at_once_are_refused_by_name(settings: Settings) -> None:
    mart(settings, [row("a")])
    with (settings.data / alerts.FILE).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlertsLocked, match="being written by another"):
            alerts.run(settings, lambda line: None)
    assert AlertsLocked.exit_code == 4
