"""`exec`: a server in a child process for as long as one command runs."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import IO, Any, cast

from sandbox.errors import SandboxError, StateLocked
from sandbox.state import REPOSITORY

KEYS = {"STRIPE_API_KEY": "load", "STRIPE_SHADOW_KEY": "shadow", "STRIPE_ACTIONS_KEY": "act"}
PATIENCE = 15  # seconds that the server may take to stop
PIPES: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def start_server(data: Path, *options: str) -> tuple["subprocess.Popen[str]", str]:
    """A server child (`options` are those of `serve`) and its URL. Raises what it died of.

    It stops when its stdin closes, so it cannot outlive us; a Ctrl-C at the terminal is for the command.
    """
    command = [sys.executable, "-m", "sandbox", "serve", "--port", "0", "--until-stdin-closes", *options]
    environment = os.environ | {"METERWISE_DATA": str(data), "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, text=True, start_new_session=True, **PIPES)
    output, complaints = cast(IO[str], child.stdout), cast(IO[str], child.stderr)
    url = output.readline().strip()
    if not url:
        said = complaints.read().strip().removeprefix("error: ")
        code = child.wait()
        raise (StateLocked if code == StateLocked.exit_code else SandboxError)(said or f"the server ended with {code}")
    # what it says later on is passed on, so that a bug in the server is not silent
    threading.Thread(target=shutil.copyfileobj, args=(complaints, sys.stderr), daemon=True).start()
    return child, url


def stop_server(child: "subprocess.Popen[str]") -> None:
    """End the server that we started, and only that."""
    cast(IO[str], child.stdin).close()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(data: Path, command: list[str]) -> int:
    """Run a command against a server of its own; its exit code (128 + n after signal n)."""
    server, url = start_server(data)
    environment = os.environ | {name: f"rk_test_sandbox_{key}" for name, key in KEYS.items()} | {"STRIPE_API_BASE": url}
    asked: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for child in children:
            child.send_signal(number)

    previous = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        children.append(subprocess.Popen(command, env=environment))
        for number in asked:
            children[0].send_signal(number)
        code = children[0].wait()
        return code if code >= 0 else 128 - code
    except OSError as error:
        raise SandboxError(f"cannot run {command[0]} ({error.strerror}): check the command after --") from error
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        stop_server(server)
