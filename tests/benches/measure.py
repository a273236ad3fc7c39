"""What a command costs, and the page server it is measured against."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.commands import ROOT, clean_environment

TICKS = os.sysconf("SC_CLK_TCK")
# Pages of megabytes are made and dropped: memory given back to the kernel each time would be the server's main cost.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "500000000", "MALLOC_MMAP_THRESHOLD_": "500000000"}


@dataclass(frozen=True)
class Used:
    """What one command took in all: seconds of wall clock and of CPU, peak resident MB; and what it printed."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    printed: str


def run(data: Path, *command: str, **environment: str) -> Used:
    """`python -m …` in a process of its own, on the state folder `data`. A failure ends the benchmark, with its words.

    The kernel counts the memory of the process that started it as well, so this one imports nothing large.
    """
    with tempfile.TemporaryFile("w+") as out:
        begun = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=clean_environment(data, **environment),
            stdout=out,
            stderr=out,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
        out.seek(0)
        printed = out.read()
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}:\n{printed}")
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed)


class Server:
    """A page server that runs."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process, self.url = process, url

    @property
    def settings(self) -> dict[str, str]:
        """What points the loader at it."""
        return {"STRIPE_API_BASE": self.url, "STRIPE_API_KEY": "rk_test_bench"}

    def requests(self) -> int:
        """How many requests it has answered, this one left out."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("GET", "/requests")
        count: int = json.loads(connection.getresponse().read())["requests"]
        return count

    def cpu_s(self) -> float:
        """CPU seconds of the server so far (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A page server in a process of its own, until the block ends; options as of tests/benches/pages.py."""
    command: Sequence[str] = [sys.executable, "-m", "tests.benches.pages", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | KEEP_MEMORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"the page server did not start: {' '.join(command)}")
        yield Server(process, url)
    finally:
        process.terminate()
        process.wait()
