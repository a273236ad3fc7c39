"""`make bench-sandbox`: how fast a company is made, pages are served and the server is back. Run as a module."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from sandbox import runner
from sandbox.state import REPOSITORY, data_folder

SIZES = (300, 10_000)
MONTHS = 24
SECONDS_OF_PAGES = 5.0
TICKS = os.sysconf("SC_CLK_TCK")
LIST = "/v1/customers?limit=100"


def seeding(data: Path, customers: int) -> dict[str, float]:
    """Seed a company in a child process: wall seconds, CPU seconds, peak resident MB, size of the state in MB."""
    command = [sys.executable, "-m", "sandbox", "seed", "--customers", str(customers), "--months", str(MONTHS)]
    environment = os.environ | {"METERWISE_DATA": str(data)}
    started = time.monotonic()
    child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"seeding {customers} customers ended with status {status}: run `{' '.join(command[1:])}`")
    size = sum(file.stat().st_size for file in (data / "sandbox").iterdir())
    prefix = f"seed_{customers}x{MONTHS}"
    return {
        f"{prefix}_wall_s": round(time.monotonic() - started, 2),
        f"{prefix}_cpu_s": round(used.ru_utime + used.ru_stime, 2),
        f"{prefix}_peak_mb": round(used.ru_maxrss / 1024),
        f"{prefix}_state_mb": round(size / 2**20),
    }


def pages(data: Path, name: str) -> dict[str, float]:
    """Start a server on the state: seconds until it answers, then pages of 100 customers over one connection."""
    started = time.monotonic()
    server, url = runner.start_server(data)
    try:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        headers = {"Authorization": "Bearer sk_test_bench"}
        connection.request("GET", LIST, headers=headers)
        first = json.loads(connection.getresponse().read())
        ready = time.monotonic() - started
        count, cursor, before, begun = 0, "", _cpu(server.pid), time.monotonic()
        while time.monotonic() - begun < SECONDS_OF_PAGES:
            connection.request("GET", LIST + cursor, headers=headers)
            page = connection.getresponse().read()
            count += 1
            # the next page: its cursor stands before the last object's other fields
            last = json.loads(page)["data"][-1]["id"] if b'"has_more": true' in page else ""
            cursor = f"&starting_after={last}" if last else ""
        wall, cpu = time.monotonic() - begun, _cpu(server.pid) - before
    finally:
        runner.stop_server(server)
    return {
        f"restart_{name}_s": round(ready, 2),
        f"pages_{name}_per_s": round(count / wall),
        f"pages_{name}_per_cpu_s": round(count / max(cpu, 1 / TICKS)),
        f"page_{name}_rows": len(first["data"]),
    }


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Print the figures and write them to $METERWISE_DATA/bench/sandbox.json."""
    flat: dict[str, float] = {}
    for customers in SIZES:
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
            flat |= seeding(Path(folder), customers)
            flat |= pages(Path(folder), str(customers))
    for key, value in flat.items():
        print(f"{key:<28}{value:>12,}")
    out = data_folder() / "bench" / "sandbox.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(flat, indent=2) + "\n")


if __name__ == "__main__":
    main()
