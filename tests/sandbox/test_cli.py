import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import state
from sandbox.errors import StateLocked
from sandbox.faults import KINDS
from sandbox.state import REPOSITORY

from .conftest import Sandbox, running

SANDBOX = [sys.executable, "-m", "sandbox"]


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SANDBOX, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(empty: Path, tmp_path: Path) -> Path:
    """A state folder of one's own, with an empty account."""
    return Path(shutil.copytree(empty, tmp_path / "sandbox"))


@pytest.fixture
def at_copy(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """An environment whose state is that folder."""
    return environment | {"METERWISE_DATA": str(folder.parent)}


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
    account: Sandbox, environment: dict[str, str]
) -> None:
    holder = (account.data / "sandbox" / "lock").read_text().strip()
    for arguments in (["seed"], ["advance", "--days", "1"], ["serve"], ["exec", "--", "true"]):
        done = run(environment | {"METERWISE_DATA": str(account.data)}, *arguments)
        assert done.returncode == 4, arguments
        assert f"in use by process {holder}" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_running_server_is_advanced_looked_at_and_made_to_fail(account: Sandbox, environment: dict[str, str]) -> None:
    url = ("--url", account.url)
    assert (
        run(environment, "advance", "--hours", "5", *url).stdout == "the sandbox's clock is at 2026-11-01T11:00:00Z\n"
    )
    assert json.loads(run(environment, "status", "--json", *url).stdout)["objects"] == {"account": 1}
    at_server = environment | {"METERWISE_DATA": str(account.data)}
    assert "clock 2026-11-01T11:00:00Z" in run(at_server, "status").stdout
    made = run(environment, "faults", *url, "--match", "GET /v1/events", "--kind", "429")
    assert made.stdout.split() == ["429", "GET", "/v1/events", "1", "of", "1", "left"]
    assert account.get("/v1/events").status_code == 429
    assert run(environment, "faults", *url, "--clear").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["advance"], 2, "--days and --hours, or --to"),
        (["advance", "--days", "1", "--to", "2026-12-01"], 2, "--days and --hours, or --to"),
        (["advance", "--to", "yesterday"], 1, "ISO 8601"),
        (["advance", "--to", "2026-10-01"], 1, "can move on"),
        (["advance", "--days", "1", "--url", "http://127.0.0.1:9"], 1, "python -m sandbox serve"),
        (["status", "--url", "https://api.stripe.com"], 1, "no sandbox on this machine"),
        (["truth"], 1, "empty account"),
        (["serve", "--faults", "missing.toml"], 1, "missing.toml"),
        (["seed", "--company", "missing.toml"], 1, "missing.toml"),
        (["seed", "--customers", "0"], 2, "--customers"),
        (["exec", "--", "no-such-command"], 1, "cannot run no-such-command"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    at_copy: dict[str, str], arguments: list[str], code: int, said: str
) -> None:
    done = run(at_copy, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_are_armed_from_a_file_before_the_first_request(folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[fault]]\nmatch = "GET /v1/events"\nkind = "500_before"\n')
    for account in running(folder.parent, "--faults", str(rules)):
        assert [account.get("/v1/events").status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("command", ["seed", "serve", "exec", "advance", "status", "faults", "truth"])
def test_every_command_shows_an_example(environment: dict[str, str], command: str) -> None:
    assert f"python -m sandbox {command}" in run(environment, command, "--help").stdout


def test_help_names_every_fault(environment: dict[str, str]) -> None:
    assert set(KINDS) <= set(re.findall(r"\w+", run(environment, "faults", "--help").stdout))


def test_a_state_is_served_again_in_less_than_two_seconds(folder: Path) -> None:
    began = time.monotonic()
    for account in running(folder.parent):
        assert account.get("/v1/customers").status_code == 200
        assert time.monotonic() - began < 2


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


def test_a_state_file_that_is_not_one_is_refused_in_a_sentence(at_copy: dict[str, str], folder: Path) -> None:
    (folder / "sandbox.sqlite").write_bytes(b"not a database, but long enough to look like a file header" * 50)
    done = run(at_copy, "status")
    assert done.returncode == 1
    assert "seed anew" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_account_is_seeded_in_one_command(environment: dict[str, str]) -> None:
    assert run(environment, "seed", "--empty").stdout.startswith("seeded an empty account in ")
    for account in running(Path(environment["METERWISE_DATA"])):
        for path in ("customers", "products", "prices", "subscriptions", "invoices", "events", "billing/meters"):
            assert account.get(f"/v1/{path}").json()["data"] == []
        assert account.get("/v1/account").json()["id"] == "acct_1MeterwiseSandbox"
        account.advance(3)
        assert account.get("/v1/account").headers["Date"] == "Wed, 04 Nov 2026 06:00:00 GMT"


def test_a_company_is_seeded_reported_on_and_its_truth_told(environment: dict[str, str]) -> None:
    assert run(environment, "seed", "--customers", "4", "--months", "3").returncode == 0
    assert json.loads(run(environment, "status", "--json").stdout)["objects"]["customer"] == 4
    assert len(json.loads(run(environment, "truth", "--json").stdout)["customers"]) == 4


def test_the_lock_is_free_again_after_use(tmp_path: Path) -> None:
    with state.hold(tmp_path), pytest.raises(StateLocked), state.hold(tmp_path):
        pytest.fail("two holders")
    with state.hold(tmp_path):
        assert (tmp_path / "lock").exists()
