"""`make bench-warehouse`: what the dbt passes cost, model by model, against their marks. Run as a module.

The first pass is the pipeline's own command, tests and all: every node that is not tagged after_ml. `passes` is a
sandbox company of 300 customers over 24 months with scores between its two passes. `10m` and `100m` are generated
companies of that many usage rows (company.py): built once, again after one more day landed, and after another day the
usage facts alone. `by_hand` compares the heaviest models with SQL written by hand. 100m takes some 40 GB of disk and
runs only when it is asked for.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox.state import data_folder
from tests.benches.marks import Mark, missed, table
from tests.benches.measure import run
from tests.benches.warehouse.builds import FIRST, SECOND, build, nodes

MUST = {
    "passes_wall_s": Mark(most=70),
    "nodes": Mark(most=700),
    "10m_first_wall_s": Mark(most=180),
    "10m_first_peak_mb": Mark(most=4 * 1024),
    "100m_first_wall_s": Mark(most=900),
    "100m_first_peak_mb": Mark(most=8 * 1024),
    "100m_day_wall_s": Mark(most=60),
}
BY_HAND = Mark(most=1.5)
# Of one more day: usage by item and day and all that it is made of.
# (a test of several models' keys only where all of them are built)
USAGE_FACTS = ("--select", "+fct_usage_daily", "--indirect-selection", "cautious")
MEMORY = {"10m": "3GB", "100m": "6GB"}


def passes(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    """Both passes of the default company."""
    data = folder / "data"
    run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "load")
    run(data, "dlt_pipelines", "ledger")
    first = build(data, *FIRST)
    for step in ("train", "score"):
        run(data, "ml", step)
    second = build(data, *SECOND)
    print("\n".join([*first.shares("first pass"), *second.shares("second pass")]))
    return {
        "passes_wall_s": round(first.used.wall_s + second.used.wall_s, 1),
        "passes_cpu_s": round(first.used.cpu_s + second.used.cpu_s, 1),
        "nodes": nodes(data),
        **first.figures("first_pass"),
        **second.figures("second_pass"),
    }


def generated(name: str, rows: int) -> Callable[[Path, argparse.Namespace], dict[str, float]]:
    """The first pass of a generated company, and again with one more day."""

    def measure(folder: Path, _: argparse.Namespace) -> dict[str, float]:
        landed = run(folder, "tests.benches.warehouse.company", "--rows", str(rows))
        first = build(folder, *FIRST, memory=MEMORY[name])
        print("\n".join(first.shares(f"{name}, first pass")), flush=True)
        added = run(folder, "tests.benches.warehouse.company")
        day = build(folder, *FIRST, memory=MEMORY[name])
        print("\n".join(day.shares(f"{name}, one more day")), flush=True)
        run(folder, "tests.benches.warehouse.company")
        facts = build(folder, *USAGE_FACTS, memory=MEMORY[name])
        return {
            f"{name}_usage_rows": int(landed.printed),
            f"{name}_generated_cpu_s": round(landed.cpu_s, 1),
            **first.figures(f"{name}_first"),
            f"{name}_day_usage_rows": int(added.printed),
            **day.figures(f"{name}_day"),
            **facts.figures(f"{name}_day_facts"),
            f"{name}_warehouse_mb": round((folder / "warehouse.duckdb").stat().st_size / 1e6),
        }

    return measure


def by_hand(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """The heaviest models beside SQL written by hand, on a generated company."""
    run(folder, "tests.benches.warehouse.company", "--rows", str(options.by_hand_rows))
    build(folder, *FIRST)
    compared: dict[str, float] = json.loads(run(folder, "tests.benches.warehouse.by_hand").printed)
    return compared


GROUPS: dict[str, Callable[[Path, argparse.Namespace], dict[str, float]]] = {
    "passes": passes,
    "10m": generated("10m", 10_000_000),
    "by_hand": by_hand,
    "100m": generated("100m", 100_000_000),
}
ON_DEMAND = {"100m"}


def main() -> None:
    """Print the figures, write them to $METERWISE_DATA/bench/warehouse.json; exit with 1 if a mark is missed."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--only", choices=list(GROUPS), action="append", help="these figures only; may be repeated")
    asked.add_argument("--by-hand-rows", type=int, default=3_000_000, help="usage rows of the comparison")
    asked.add_argument("--folder", type=Path, help="where the companies are built (a folder of /tmp)")
    options = asked.parse_args()
    flat: dict[str, float] = {}
    for name in options.only or [name for name in GROUPS if name not in ON_DEMAND]:
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-", dir=options.folder) as folder:
            figures = GROUPS[name](Path(folder), options)
        must = MUST | {key: BY_HAND for key in figures if key.endswith("_times_by_hand")}
        print("\n".join(table(figures, must, {})), flush=True)
        flat |= figures
    out = data_folder() / "bench" / "warehouse.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(flat, indent=2) + "\n")
    if lines := missed(flat, MUST | {key: BY_HAND for key in flat if key.endswith("_times_by_hand")}):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
