"""Set-up on a machine that lacks something: one clear sentence, and nothing half made."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

from tests.commands import ROOT, clean_environment

TOOLS = ("make", "sh", "bash", "awk", "sed", "tr", "rm", "touch", "mktemp", "echo", "env", "dirname")


def machine(folder: Path, **programs: str) -> Path:
    """A folder for PATH with the basic tools and shell scripts of the given names, and nothing else."""
    path = folder / "bin"
    path.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (path / tool).symlink_to(found)
    for name, script in programs.items():
        program = path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return path


def set_up(folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    clone = folder / "clone"
    clone.mkdir()
    for name in ("Makefile", "pyproject.toml", "uv.lock", ".python-version"):
        shutil.copy(ROOT / name, clone / name)
    environment = {"PATH": str(path), "HOME": str(folder)}
    return subprocess.run(["make", "run"], cwd=clone, env=environment, capture_output=True, text=True, timeout=60)


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    old = machine(tmp_path, python3='[ "$1" = --version ] && echo "Python 3.9.2" || exit 1')
    failed = set_up(tmp_path, old)
    assert failed.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13 and found Python 3.9.2" in failed.stderr
    assert "apt-get install python3.11" in failed.stderr
    assert not (tmp_path / "clone" / ".venv").exists()


def test_a_missing_venv_module_is_named_with_the_package_to_install(tmp_path: Path) -> None:
    without_venv = machine(tmp_path, python3='case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac')
    failed = set_up(tmp_path, without_venv)
    assert failed.returncode != 0
    assert "has no venv module" in failed.stderr
    assert "apt-get install python3-venv" in failed.stderr


def test_help_lists_every_target_without_setting_up(tmp_path: Path) -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, env=os.environ, timeout=60)
    assert listed.returncode == 0
    for target in ("run", "test", "plan", "apply", "advance", "audit", "notebook", "bench-run"):
        assert f"make {target} " in listed.stdout


def test_what_the_environment_says_wins_over_a_dot_env_file(tmp_path: Path) -> None:
    """Otherwise a person's .env would point these very tests at a real account."""
    hostile = tmp_path / "env"
    hostile.write_text("METERWISE_DATA='/real/folder'\nSTRIPE_API_BASE=http://from-file\nSTRIPE_API_KEY=\n# note\n")
    environment = clean_environment(tmp_path / "data", ENV_FILE=str(hostile))
    database = ["make", "-pn", "help"]
    told = subprocess.run(database, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=60).stdout
    assert f"METERWISE_DATA := {tmp_path / 'data'}" in told
    assert "STRIPE_API_BASE = http://from-file" in told
    assert "/real/folder" not in told
    assert "-m sandbox exec -- .venv/bin/python -m dlt_pipelines run" in planned(environment)


def planned(environment: dict[str, str]) -> str:
    """What `make run` would start."""
    return subprocess.run(
        ["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=60
    ).stdout
