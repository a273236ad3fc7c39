"""SIGKILL again and again under every fault, and many thousand actions in one run."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.actions.conftest import Desk
from tests.actions.fault_server import World, serving
from tests.actions.faults import FAULTS, KILLS
from tests.actions.harness import Start, broken, come_back, laid, rerun_until_settled
from tests.actions.processes import KilledAt, ended, forked
from tests.actions.rows import courtesy, quote, retry
from tests.benches.actions.desk import approved, settings
from tests.commands import ROOT

CASES, ACTIONS = 400, 20_000


def kills(folder: Path) -> dict[str, float]:
    """CASES processes killed by the kernel, over every fault and three kinds; counts of what must not be."""
    counts = dict.fromkeys(("lost", "twice", "chain error", "idempotency_error", "other"), 0)
    world, cases, killed, begun = World(), 0, 0, time.monotonic()
    faults = [fault for fault in FAULTS if fault != "stall"] + list(KILLS)
    with serving(world) as address:
        starts = []
        for number, row in enumerate((courtesy, quote, retry)):
            desk = Desk(settings(folder / f"start{number}", address), world, time.time_ns() // 1_000)
            world.reset()
            desk.approved(row())
            starts.append(Start(desk))
        starts[0].desk.apply(send=False)  # everything is imported
        while cases < CASES:
            start, fault, n = starts[cases % 3], faults[cases // 3 % len(faults)], 1 + cases * 7 % 22
            with laid(start, folder, fault) as desk:
                point = KilledAt(0 if fault in KILLS else n)
                child = forked(functools.partial(desk.apply, point=point))
                world.victim = child
                killed += ended(child) == -signal.SIGKILL
                come_back(desk, 25 * (cases % 4 == 3))
                rerun_until_settled(desk)
                for name in broken(desk, start.planned):
                    counts[name if name in counts else "other"] += 1
                    print(f"case {cases}: {name} (point {n}, fault {fault})", file=sys.stderr)
            cases += 1
    figures = {f"sigkill_{name.replace(' ', '_')}": count for name, count in counts.items()}
    seconds = round(time.monotonic() - begun, 1)
    return {
        "sigkill_cases": cases,
        "sigkill_killed": killed,
        "sigkill_faults": len(faults),
        "sigkill_s": seconds,
    } | figures


def many(folder: Path) -> dict[str, float]:
    """ACTIONS credits in one run, full fsync, no pacing: actions a second, and how memory and pace hold."""
    module = [sys.executable, "-m", "tests.benches.actions.stripe"]
    server = subprocess.Popen(module, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    try:
        approved(folder, ACTIONS, address)
        command = [sys.executable, "-m", "tests.benches.actions.acting", str(folder), address]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(ran.stderr)
        points = [json.loads(line) for line in ran.stdout.splitlines()]
    finally:
        server.stdin.close()
        server.wait()
    done, seconds, _ = points[-1]
    first, last = points[0][1], seconds - points[-2][1]
    return {
        "soak_actions": done,
        "soak_actions_per_s": round(done / seconds, 1),
        "soak_rss_growth_mb": round(points[-1][2] - points[0][2], 1),
        "soak_rss_mb": round(points[-1][2], 1),
        "soak_last_over_first_thousand": round(last / first, 2),
    }
