"""Refusals are data: each is used, and each that is used is there."""

import re
from pathlib import Path

import pytest

from sandbox import state
from sandbox.errors import SandboxError
from sandbox.refusals import REFUSALS
from sandbox.store import Store

SANDBOX = Path(state.REPOSITORY) / "sandbox"


def test_every_refusal_is_used_somewhere() -> None:
    text = "".join(file.read_text() for file in [*SANDBOX.glob("*.py"), SANDBOX / "rules.json"])
    assert [name for name in REFUSALS if not re.search(rf"[\"']{name}[\"']", text)] == []


def test_every_refusal_that_code_names_is_there() -> None:
    named = {name for file in SANDBOX.glob("*.py") for name in re.findall(r"refuse\(\s*\"(\w+)\"", file.read_text())}
    assert len(named) > 50
    assert named - set(REFUSALS) == set()


def test_a_state_of_another_version_says_what_to_do_about_its_warehouse(tmp_path: Path) -> None:
    path = tmp_path / "data" / "sandbox" / state.FILE
    path.parent.mkdir(parents=True)
    store = Store.create(path, {})
    store.set_meta("format", "0")
    store.db.close()
    with pytest.raises(SandboxError, match=f"METERWISE_DATA to a new folder, or delete {tmp_path / 'data'}"):
        Store.open(path)
