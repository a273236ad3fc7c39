"""dbt passes in processes of their own: what each took in all, and of each model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benches.measure import Used, run
from tests.commands import DBT_AT

FIRST, SECOND = ("--exclude", "tag:after_ml"), ("--select", "tag:after_ml")
COUNTED = {"model", "test", "unit_test", "seed", "snapshot"}
LAYERS = {"unit_test": "tests", "operation": "hooks"}
LISTED = 15


@dataclass(frozen=True)
class Pass:
    """One dbt build: what it took, and the seconds of each node by its name; `layer_s` adds them up by layer."""

    used: Used
    elapsed_s: float
    node_s: dict[str, float]
    layer_s: dict[str, float]

    def figures(self, prefix: str) -> dict[str, float]:
        """Flat figures. Seconds of nodes overlap where two ran at once; dbt's start is what passed before the first."""
        tests = self.layer_s.get("tests", 0)
        return {
            f"{prefix}_wall_s": round(self.used.wall_s, 1),
            f"{prefix}_cpu_s": round(self.used.cpu_s, 1),
            f"{prefix}_peak_mb": round(self.used.peak_mb),
            f"{prefix}_dbt_start_s": round(self.used.wall_s - self.elapsed_s, 1),
            f"{prefix}_models_node_s": round(sum(self.node_s.values()) - tests, 1),
            f"{prefix}_tests_node_s": round(tests, 1),
        }

    def shares(self, title: str) -> list[str]:
        """The heaviest nodes and every layer with their shares, as lines for people."""
        whole = sum(self.node_s.values())
        heaviest = sorted(self.node_s.items(), key=lambda node: -node[1])[:LISTED]
        layers = sorted(self.layer_s.items(), key=lambda layer: -layer[1])
        return [
            f"{title}: {len(self.node_s)} nodes, {whole:.1f} s of nodes",
            *(f"  {seconds:8.2f} s {seconds / whole:6.1%}  {name}" for name, seconds in heaviest),
            *(f"  {seconds:8.2f} s {seconds / whole:6.1%}  all of {name}" for name, seconds in layers),
        ]


def build(data: Path, *arguments: str, memory: str | None = None) -> Pass:
    """`dbt build` with its tests, as the pipeline runs it; `memory` is METERWISE_MEMORY, the default when None."""
    settings = {} if memory is None else {"METERWISE_MEMORY": memory}
    used = run(data, "dbt.cli.main", "--no-use-colors", "build", *DBT_AT, *arguments, **settings)
    results = json.loads((data / "dbt" / "run_results.json").read_text())
    models = _manifest(data)["nodes"]
    node_s: dict[str, float] = {}
    layer_s: Counter[str] = Counter()
    for result in results["results"]:
        kind, _, name = result["unique_id"].split(".", 2)
        node_s[name] = result["execution_time"]
        layer = models[result["unique_id"]]["fqn"][1] if kind == "model" else LAYERS.get(kind, f"{kind}s")
        layer_s[layer] += result["execution_time"]
    return Pass(used, results["elapsed_time"], node_s, dict(layer_s))


def nodes(data: Path) -> int:
    """How many models, tests, unit tests and seeds the whole project has."""
    manifest = _manifest(data)
    every = [*manifest["nodes"].values(), *manifest["unit_tests"].values()]
    return sum(node["resource_type"] in COUNTED for node in every)


def compiled(data: Path, model: str) -> str:
    """The SQL that the last build ran for a model."""
    return str(_manifest(data)["nodes"][f"model.meterwise.{model}"]["compiled_code"])


def _manifest(data: Path) -> Any:
    return json.loads((data / "dbt" / "manifest.json").read_text())
