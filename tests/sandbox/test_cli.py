import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import lock, runner
from sandbox.errors import StateLocked
from sandbox.settings import REPOSITORY

from .conftest import Sandbox

SANDBOX = [sys.executable, "-m", "sandbox"]


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SANDBOX, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def at_copy(copy: Path, environment: dict[str, str]) -> dict[str, str]:
    """An environment whose state is a copy of the seeded company."""
    return environment | {"METERWISE_DATA": str(copy.parent)}


def test_exec_gives_the_command_its_keys_and_returns_its_code(at_copy: dict[str, str]) -> None:
    script = (
        "import os, sys, urllib.request as r;"
        "q = r.Request(os.environ['STRIPE_API_BASE'] + '/v1/account',"
        " headers={'Authorization': 'Bearer ' + os.environ['STRIPE_API_KEY']});"
        "print(r.urlopen(q).status, os.environ['STRIPE_SHADOW_KEY'], os.environ['STRIPE_ACTIONS_KEY']); sys.exit(7)"
    )
    done = run(at_copy, "exec", "--", sys.executable, "-c", script)
    assert done.returncode == 7
    assert done.stdout.split() == ["200", "rk_test_sandbox_shadow", "rk_test_sandbox_act"]


def test_exec_stops_its_server_when_it_is_told_to_stop(at_copy: dict[str, str]) -> None:
    script = "import os, time; print(os.environ['STRIPE_API_BASE'], flush=True); time.sleep(60)"
    command = [*SANDBOX, "exec", "--", sys.executable, "-c", script]
    child = subprocess.Popen(command, cwd=REPOSITORY, env=at_copy, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    port = int(child.stdout.readline().strip().rpartition(":")[2])
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 128 + signal.SIGTERM
    child.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_server_does_not_outlive_an_exec_that_is_killed(at_copy: dict[str, str]) -> None:
    script = "import os; print(os.environ['STRIPE_API_BASE'], flush=True); input()"
    command = [*SANDBOX, "exec", "--", sys.executable, "-c", script]
    child = subprocess.Popen(
        command, cwd=REPOSITORY, env=at_copy, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    port = int(child.stdout.readline().strip().rpartition(":")[2])
    child.kill()
    child.communicate()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server still answers")


def test_a_second_process_is_refused_and_told_who_holds_the_state(
    sandbox: Sandbox, environment: dict[str, str]
) -> None:
    holder = (sandbox.data / "sandbox" / "lock").read_text().strip()
    for arguments in (["seed"], ["advance", "--days", "1"], ["serve"], ["exec", "--", "true"]):
        done = run(environment | {"METERWISE_DATA": str(sandbox.data)}, *arguments)
        assert done.returncode == 4, arguments
        assert f"in use by process {holder}" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1


def test_reports_work_while_a_server_runs(sandbox: Sandbox, environment: dict[str, str]) -> None:
    at_server = environment | {"METERWISE_DATA": str(sandbox.data)}
    status = json.loads(run(at_server, "status", "--json").stdout)
    assert status["objects"]["customer"] == 40
    assert len(json.loads(run(at_server, "truth", "--json").stdout)["customers"]) == 40


def test_a_taken_port_is_named(at_copy: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(at_copy, "serve", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: port {port} cannot be used")
    assert "--port 0" in done.stderr


def test_an_unwritable_folder_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(environment | {"METERWISE_DATA": str(tmp_path / "file")}, "seed")
    assert done.returncode == 1
    assert "METERWISE_DATA" in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_can_be_served_before_it_is_seeded(environment: dict[str, str]) -> None:
    done = run(environment, "advance", "--days", "1")
    assert done.returncode == 1
    assert "python -m sandbox seed" in done.stderr


def test_a_state_file_that_is_not_one_is_refused_in_a_sentence(at_copy: dict[str, str], copy: Path) -> None:
    (copy / "sandbox.sqlite").write_bytes(b"not a database, but long enough to look like a file header" * 50)
    done = run(at_copy, "status")
    assert done.returncode == 1
    assert "seed anew" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_named(at_copy: dict[str, str]) -> None:
    done = run(at_copy, "exec", "--", "no-such-command")
    assert done.returncode == 1
    assert "cannot run no-such-command" in done.stderr


def test_an_empty_account_answers_with_empty_lists(environment: dict[str, str]) -> None:
    assert run(environment, "seed", "--empty").returncode == 0
    data = Path(environment["METERWISE_DATA"])
    server, url = runner.start_server(data)
    try:
        empty = Sandbox(url, data)
        for path in ("customers", "products", "prices", "subscriptions", "invoices", "events", "billing/meters"):
            assert empty.get(f"/v1/{path}").json()["data"] == []
        assert empty.get("/v1/account").json()["id"] == "acct_1MeterwiseSandbox"
        empty.advance(3)
        assert empty.get("/v1/account").headers["Date"] == "Wed, 04 Nov 2026 06:00:00 GMT"
    finally:
        runner.stop_server(server)


def test_the_lock_is_free_again_after_use(tmp_path: Path) -> None:
    with lock.hold(tmp_path), pytest.raises(StateLocked), lock.hold(tmp_path):
        pytest.fail("two holders")
    with lock.hold(tmp_path):
        assert (tmp_path / "lock").exists()
