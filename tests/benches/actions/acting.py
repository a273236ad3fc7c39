"""Run as a module by the soak, in a process of its own: sends what is approved, and prints rate and memory."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from actions.apply import Runner
from actions.clock import HOUR_US, Clock
from actions.guard import only_runner
from actions.ledger import Ledger
from actions.port import StripeWriter
from actions.state import choose, load
from tests.benches.actions.desk import ME, open_policy, settings

EVERY = 1_000
A_DAY = 2_000  # actions until midnight: caps are counted by the day, and 2,000 are ten times what policy.toml allows
DAY_US = 24 * HOUR_US


def rss_mb() -> float:
    """Resident memory of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> None:
    """Arguments: state folder, address. One JSON line for every EVERY actions: done, seconds, resident MB."""
    at = settings(Path(sys.argv[1]), sys.argv[2])
    day = [0]
    clock = Clock(lambda: time.time_ns() // 1_000 + day[0] * DAY_US)
    ledger = Ledger(at.ledger, at.head, clock)
    with only_runner(at.ledger):
        runner = Runner(ledger, StripeWriter("rk_test_bench", at, clock), open_policy(), ME, False)
        runner.check_account()
        begun = time.monotonic()
        for number, name in enumerate(choose(ledger, (), True), 1):
            result = runner.run(load(ledger, name), True)
            if result.end != "done":
                raise SystemExit(f"{name}: {result.end}: {result.words}")
            day[0] = number // A_DAY
            if number % EVERY == 0:
                print(json.dumps([number, time.monotonic() - begun, rss_mb()]), flush=True)


if __name__ == "__main__":
    main()
