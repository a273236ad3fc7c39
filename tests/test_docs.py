"""README is true: each command in it exists, each make target is listed, each setting is documented."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from tests.commands import ROOT, module

README = ROOT / "README.md"
SETTING = re.compile(
    r"\b(?:(?:STRIPE|METERWISE)_[A-Z_]+|(?:SOURCES|DESTINATION)__[A-Z_]+|MLFLOW_TRACKING_URI|DBT_TARGET(?:_PATH)?)\b"
)
# Set by our own Makefile and runner for the tools, not by a person.
INTERNAL = {"DBT_TARGET_PATH"}


def readme_commands() -> list[str]:
    """Lines of README's console blocks that start with `$ `, in order, comments cut off."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix("$ ").split("  #")[0].strip() for line in lines]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_readme_shows_commands() -> None:
    assert {"make run", "make test"} <= set(readme_commands())


def test_every_make_target_in_readme_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README.read_text()))
    assert named - make_targets() == set()


@pytest.mark.parametrize("name", ["sandbox", "dlt_pipelines", "ml", "actions"])
def test_every_python_command_in_readme_exists(name: str, tmp_path: Path) -> None:
    used = {
        word
        for line in README.read_text().splitlines()
        if f"`python -m {name} " in line
        for word in re.findall(r"`(?:python -m [a-z_]+ )?([a-z][a-z-]*)`", line.split("|")[1] if "|" in line else line)
    }
    assert len(used) > 3, used
    helped = module(tmp_path, name, "--help")
    assert helped.returncode == 0, helped.stderr
    listed = set(re.findall(r"^  ([a-z][a-z-]*)", helped.stdout, flags=re.MULTILINE))
    assert used - listed == set()


@pytest.mark.parametrize("name", ["sandbox", "dlt_pipelines", "ml", "actions"])
def test_every_command_has_help(name: str, tmp_path: Path) -> None:
    helped = module(tmp_path, name, "--help").stdout
    commands = re.findall(r"^  ([a-z][a-z-]*)  +(\S.*)$", helped.split("Commands:")[-1], flags=re.MULTILINE)
    bare = re.findall(r"^  ([a-z][a-z-]*) *$", helped.split("Commands:")[-1], flags=re.MULTILINE)
    assert commands
    assert bare == []


def test_every_setting_read_in_code_is_in_the_example_and_the_reverse() -> None:
    read = set()
    for package in ("sandbox", "dlt_pipelines", "ml", "actions", "notebooks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and SETTING.fullmatch(node.value):
                    read.add(node.value)
    for path in (ROOT / "dbt_project").rglob("*.yml"):
        read |= set(re.findall(r"env_var\('([A-Z_]+)'", path.read_text()))
    documented = set(SETTING.findall((ROOT / ".env.example").read_text()))
    assert read - INTERNAL == documented


def test_commands_in_readme_can_be_split_by_a_shell() -> None:
    for command in readme_commands():
        assert shlex.split(command)


def test_each_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    wanted = re.findall(r'^  "[A-Za-z0-9\[\]_.-]+[=<>~].*$', text, flags=re.MULTILINE)
    assert len(wanted) > 15
    assert [line for line in wanted if "#" not in line] == []
