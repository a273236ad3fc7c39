"""`make bench-actions`, `make soak-actions`: what the runner costs and what it survives. Run as a module.

`--soak`: 400 processes killed by SIGKILL over every fault, and 20,000 actions in one run with full fsync.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from actions import audit
from sandbox.state import data_folder
from tests.actions.fault_server import World, serving
from tests.benches.actions import soak
from tests.benches.actions.desk import approved, filled, opened, published
from tests.benches.marks import Mark, missed, table
from tests.benches.measure import run
from tests.commands import ROOT, clean_environment

EVENTS, RECOMMENDATIONS, TIMES = 100_000, 10_000, 5
MUST = {
    "verify_cpu_s": Mark(most=5),
    "plan_cpu_s": Mark(most=10),
    "start_s": Mark(most=0.3),
    "start_with_stripe_s": Mark(most=0.8),
    "sigkill_cases": Mark(least=400),
    "sigkill_faults": Mark(least=12),
    "sigkill_lost": Mark(most=0),
    "sigkill_twice": Mark(most=0),
    "sigkill_chain_error": Mark(most=0),
    "sigkill_idempotency_error": Mark(most=0),
    "sigkill_other": Mark(most=0),
    "soak_actions": Mark(least=20_000),
    "soak_actions_per_s": Mark(least=100),
    "soak_rss_growth_mb": Mark(most=30),
}


def verify(folder: Path) -> dict[str, float]:
    """CPU seconds to check every hash of a ledger."""
    ledger, begun, cpu = opened(filled(folder, EVENTS)), time.monotonic(), time.process_time()
    count = audit.verify(ledger)
    figures = {"verify_events": count, "verify_cpu_s": round(time.process_time() - cpu, 2)}
    return figures | {"verify_s": round(time.monotonic() - begun, 2)}


def plan(folder: Path) -> dict[str, float]:
    """`plan` of a publication as large as it may be, start to end."""
    published(folder, RECOMMENDATIONS)
    used = run(folder, "actions", "plan", "--expect", str(RECOMMENDATIONS))
    seconds = {"plan_s": round(used.wall_s, 2), "plan_cpu_s": round(used.cpu_s, 2)}
    return {"plan_recommendations": RECOMMENDATIONS, "plan_peak_mb": round(used.peak_mb)} | seconds


def start(folder: Path) -> dict[str, float]:
    """The quickest of TIMES starts: a command that reads the ledger, and one that asks Stripe as well."""
    world = World()
    with serving(world) as address:
        approved(folder, 1, address)
        more = {"STRIPE_API_BASE": address, "STRIPE_SHADOW_KEY": "rk_test_x", "STRIPE_ACTIONS_KEY": "rk_test_x"}
        environment = clean_environment(folder, **more)

        def quickest(*arguments: str) -> float:
            seconds = []
            for _ in range(TIMES):
                begun = time.monotonic()
                command = [sys.executable, "-m", "actions", *arguments]
                subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
                seconds.append(time.monotonic() - begun)
            return round(min(seconds), 3)

        return {"start_s": quickest("status"), "start_with_stripe_s": quickest("apply", "--all")}


def main() -> None:
    """Print the figures beside their marks and write them to $METERWISE_DATA/bench/actions.json. Exit 1 on a miss."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--soak", action="store_true", help="the long ones: kills and 20,000 actions")
    options = asked.parse_args()
    os.umask(0o077)
    flat: dict[str, float] = {}
    for measure in (soak.kills, soak.many) if options.soak else (verify, plan, start):
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
            figures = measure(Path(folder))
        print("\n".join(table(figures, MUST, {})), flush=True)
        flat |= figures
    out = data_folder() / "bench" / "actions.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps(known | flat, indent=2) + "\n")
    if lines := missed(flat, MUST):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
