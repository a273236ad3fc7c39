"""How tests run the project's commands: as a user would, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped] # the types are a package of their own

from tests.parsed import hand_on

ROOT = Path(__file__).resolve().parent.parent
DBT_AT = ("--project-dir", "dbt_project", "--profiles-dir", "dbt_project")
SETTINGS = ("STRIPE_", "METERWISE_", "MLFLOW_", "DBT_", "DESTINATION__", "SOURCES__")


def clean_environment(data: Path, **more: str) -> dict[str, str]:
    """This process's environment without anybody's Stripe keys or settings, for the state folder `data`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    # make must not read the .env of whoever runs the tests: it may name a real account
    off = {
        "ENV_FILE": "/dev/null",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    at = {"METERWISE_DATA": str(data), "DBT_TARGET_PATH": str(data / "dbt"), "DBT_LOG_PATH": str(data / "logs")}
    return kept | off | at | more


def run(command: list[str], data: Path, timeout: float = 600, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command from the repository's root; output as text. A timeout in seconds fails the test."""
    return subprocess.run(
        command, cwd=ROOT, env=clean_environment(data, **more), capture_output=True, text=True, timeout=timeout
    )


def module(data: Path, *arguments: str, timeout: float = 600, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m …` with the tests' own interpreter."""
    return run([sys.executable, "-m", *arguments], data, timeout, **more)


def in_sandbox(data: Path, *arguments: str, timeout: float = 600, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m sandbox exec -- python -m …`: the command runs beside a sandbox of its own."""
    return module(data, "sandbox", "exec", "--", sys.executable, "-m", *arguments, timeout=timeout, **more)


def dbt(data: Path, *arguments: str, timeout: float = 600, **more: str) -> subprocess.CompletedProcess[str]:
    """dbt on the state folder's warehouse."""
    given = arguments[arguments.index("--vars") + 1] if "--vars" in arguments else "{}"
    hand_on(data, yaml.safe_load(given))
    return module(data, "dbt.cli.main", *arguments, *DBT_AT, timeout=timeout, **more)
