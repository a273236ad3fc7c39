"""Two registered versions side by side, figure by figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml import lineage, registry
from ml.errors import NothingToDo
from ml.promotion import named
from ml.registry import Store

# Metrics where less is better, and those where a target is; of the others more is better.
LESS = ("wape", "mase", "pinball", "log_loss", "brier", "ece")
TARGETS = {"cov80": 0.8, "cov95": 0.95, "bias": 0.0}
ALWAYS = ("as_of", "method", "gate", "features")  # shown even where both are the same


def listing(store: Store) -> list[str]:
    """A line per registered version, newest first, under a heading. Raises NothingToDo when there is none."""
    found = registry.entries(store)
    if not found:
        raise NothingToDo(f"No model is registered at {store.uri} yet. Run `python -m ml train` first.")
    width = max(len(entry.name) for entry, _ in found)
    lines = [f"{'model':<{width}} {'version':>7}  {'aliases':<20} {'as_of':<10}  {'method':<14} {'gate':<8} reason"]
    for entry, aliases in found:
        tags = entry.tags
        facts = f"{tags.get('as_of', '-'):<10}  {tags.get('method', '-'):<14} {tags.get('gate', '-').split(':')[0]:<8}"
        named_as = ",".join(aliases) or ("rolled back" if "rolled_back_at" in tags else "-")
        lines.append(f"{entry.name:<{width}} {entry.version:>7}  {named_as:<20} {facts} {tags.get('gate_reason', '')}")
    return lines


def compare(store: Store, model: str, first: str, second: str) -> Iterator[str]:
    """Lines that set two versions side by side: method, recipe, data, and every figure with the better one marked."""
    pair = [named(store, model, one) for one in (first, second)]
    specs = []
    for entry in pair:
        with registry.files(entry, store.uri) as folder:
            specs.append(registry.read_spec(entry, folder))
    labels = [
        f"{one.version} ({name})" if name != one.version else one.version
        for one, name in zip(pair, (first, second), strict=True)
    ]
    yield f"{'':<34} {labels[0]:>20} {labels[1]:>20}"
    facts = [
        {**{name: entry.tags.get(name, "-") for name in ALWAYS[:3]}, **_recipe(spec)}
        for entry, spec in zip(pair, specs, strict=True)
    ]
    for name in dict.fromkeys((*facts[0], *facts[1])):
        left, right = (str(one.get(name, "-")) for one in facts)
        if name in ALWAYS or left != right:
            yield f"{name:<34} {left:>20} {right:>20}"
    if pair[0].tags.get("as_of") != pair[1].tags.get("as_of"):
        yield "Held out on different days, since trained at different as-of: the gate compares on the same ones."
    wins = [0, 0]
    for key, value, other in _figures(specs):
        better = prefer(key[1], value, other)
        if better is not None:
            wins[better] += 1
        mark = "" if better is None else f"  {(pair[better]).version} better"
        yield f"{key[0] + ' ' + key[1]:<34} {value:>20.4f} {other:>20.4f}{mark}"
    yield f"Better on {wins[0]} figures: version {pair[0].version}; on {wins[1]}: version {pair[1].version}."
    for entry in pair:
        yield f"Gate of version {entry.version}: {entry.tags.get('gate', '-')}: {entry.tags.get('gate_reason', '-')}"


def headline(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The figures over all beside the baseline's, a line each."""
    lines = []
    for row in rows:
        if row["segment"] == "all":
            both = [
                f"{row[name]:>9.3f}" if row[name] is not None else f"{'-':>9}" for name in ("value", "baseline_value")
            ]
            lines.append(f"  {row['metric']:<18} {both[0]}   baseline {both[1]}   n {row['n']}")
    return lines


def prefer(metric: str, left: float, right: float) -> int | None:
    """0 or 1, the better of two values of a metric; None if they are equal."""
    name = metric.split("_baseline")[0]
    target = next((value for known, value in TARGETS.items() if name.startswith(known)), None)
    if target is not None:
        left, right = abs(left - target), abs(right - target)
    elif not name.startswith(LESS):
        left, right = -left, -right
    return None if left == right else int(right < left)


def _recipe(spec: Mapping[str, Any]) -> dict[str, str]:
    recipe = dict(spec.get("recipe") or {})
    features = recipe.pop("features", None) or spec["features"]
    return {"features": f"{len(features)} ({lineage.fingerprint(list(features))[:8]})", **lineage.flat(recipe)}


def _figures(specs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], float, float]]:
    tables = [{(row["segment"], row["metric"]): row["value"] for row in spec["figures"]} for spec in specs]
    for key in tables[0]:
        values = [table.get(key) for table in tables]
        if values[0] is not None and values[1] is not None:
            yield key, float(values[0]), float(values[1])
