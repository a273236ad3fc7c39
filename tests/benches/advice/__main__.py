"""`make bench-advice`: what advice costs to compute, what it finds and what it is worth, against their marks.

`value` proves the expected values on ten companies of the sandbox, seed by seed; it and the other long groups run when
they are asked for: `python -m tests.benches.advice value`.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from sandbox.state import data_folder
from tests.benches.marks import Mark, missed, table

MUST = {
    "scale_customers": Mark(least=100_000),
    "scale_wall_s": Mark(most=60),
    "value_seeds_in_band": Mark(least=6),
}
# Name of a group → module here whose function of that name measures it, into flat figures, in a folder of its own. A
# module may say MUST for what its figures must reach.
GROUPS = {"scale": "scale", "pricing": "pricing", "credits": "credits", "value": "value", "experiments": "experiments",
          "opportunities": "opportunities"}  # fmt: skip
ON_DEMAND = {"value", "experiments", "opportunities"}


def main() -> None:
    """Print the figures, write them to $METERWISE_DATA/bench/advice.json; exit with 1 if a mark is missed."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("groups", nargs="*", metavar="GROUP", help=f"these only: {', '.join(GROUPS)}")
    asked.add_argument("--only", choices=list(GROUPS), action="append", default=[], help="the same, may be repeated")
    asked.add_argument(
        "--draws", type=int, default=1, help="of experiments: how many, five effects or six each; 1 if not given"
    )
    asked.add_argument("--folder", type=Path, help="where the companies are kept, instead of a folder that goes away")
    options = asked.parse_args()
    os.umask(0o077)
    names = [*options.groups, *options.only] or [name for name in GROUPS if name not in ON_DEMAND]
    if unknown := set(names) - set(GROUPS):
        asked.error(f"there is no group {', '.join(sorted(unknown))}: there are {', '.join(GROUPS)}")
    flat: dict[str, float] = {}
    must = dict(MUST)
    for name in names:
        module = importlib.import_module(f"tests.benches.advice.{GROUPS[name]}")
        must |= getattr(module, "MUST", {})
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
            more = {"draws": options.draws} if name == "experiments" else {}
            figures = getattr(module, name)(options.folder or Path(folder), **more)
        print("\n".join(table(figures, must, {})), flush=True)
        flat |= figures
    out = data_folder() / "bench" / "advice.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps(known | flat, indent=2) + "\n")
    if lines := missed(flat, must):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
