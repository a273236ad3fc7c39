"""Who may import whom, and which dbt layer may read which: design.md section 2, held as data."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT

OURS = {"sandbox", "dlt_pipelines", "ml", "actions", "notebooks", "tests"}
MAY_IMPORT: dict[str, set[str]] = {
    "sandbox": set(),
    "dlt_pipelines": set(),
    "ml": set(),
    "actions": set(),
    "notebooks": {"ml"},
}
# Jinja only through dbt; each heavy tool only where its work is done.
ONLY_IN = {
    "jinja2": set[str](),
    "mlflow": {"ml"},
    "xgboost": {"ml"},
    "sklearn": {"ml"},
    "dlt": {"dlt_pipelines"},
    "uvicorn": {"sandbox", "dlt_pipelines"},
    "starlette": {"dlt_pipelines"},
    "stripe": {"dlt_pipelines", "actions"},
    "dbt": set[str](),
}
# A model in the layer on the left may read the layers on the right. A fact is built once, so what is derived from it
# on the way to a feature or another mart reads the mart; nothing but features reads features before scoring.
MAY_READ = {
    "staging": {"source", "seed", "staging"},
    "intermediate": {"seed", "staging", "intermediate", "marts"},
    "features": {"seed", "staging", "intermediate", "features", "marts"},
    "marts": {"seed", "staging", "intermediate", "features", "marts"},
    "semantic": {"marts"},
}
LONGEST = {".py": 300, ".sql": 120}


def python_files(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_the_packages_it_may(package: str) -> None:
    assert python_files(package), f"no Python file in {package}"
    allowed = MAY_IMPORT[package] | {package}
    wrong = {str(path): names for path in python_files(package) if (names := imported(path) & OURS - allowed)}
    assert wrong == {}


@pytest.mark.parametrize("tool", sorted(ONLY_IN))
def test_a_tool_is_used_only_where_its_work_is_done(tool: str) -> None:
    users = {package for package in MAY_IMPORT for path in python_files(package) if tool in imported(path)}
    assert users <= ONLY_IN[tool]


def test_files_are_small_rooms() -> None:
    files = [path for package in (*MAY_IMPORT, "tests") for path in python_files(package)]
    files += sorted((ROOT / "dbt_project").rglob("*.sql"))
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files if path.is_file()}
    assert {name: count for name, count in lines.items() if count > LONGEST[Path(name).suffix]} == {}


def models(manifest: dict[str, Any]) -> dict[str, Any]:
    return {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}


def layer(manifest: dict[str, Any], key: str) -> str:
    if not key.startswith("model."):
        return key.split(".")[0]
    return str(manifest["nodes"][key]["fqn"][1])


def is_after_ml(node: dict[str, Any]) -> bool:
    return "after_ml" in node["tags"]


def test_a_model_reads_only_the_layers_below_it(manifest: dict[str, Any]) -> None:
    wrong = []
    for key, node in models(manifest).items():
        allowed = MAY_READ[layer(manifest, key)]
        wrong += [(key, parent) for parent in node["depends_on"]["nodes"] if layer(manifest, parent) not in allowed]
    assert wrong == []


def test_no_model_built_before_scoring_reads_a_score(manifest: dict[str, Any]) -> None:
    """Otherwise a feature could hold what a model said, and a first build would need a score."""
    wrong = []
    for key, node in models(manifest).items():
        if is_after_ml(node):
            continue
        wrong += [
            (key, parent)
            for parent in node["depends_on"]["nodes"]
            if parent.startswith("model.") and is_after_ml(manifest["nodes"][parent])
        ]
        wrong += [(key, parent) for parent in node["depends_on"]["nodes"] if "source" in parent and "score" in parent]
    assert wrong == []
    assert any(is_after_ml(node) for node in models(manifest).values())
