"""A sandbox and a warehouse side by side, and loads from the one into the other."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlt_pipelines.load import Loaded, load
from dlt_pipelines.progress import Progress
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines import oracle
from tests.dlt_pipelines.served import Served, serving

KEY = "rk_test_sandbox_load"


@dataclass
class Proof:
    """`data` holds both: the state that `served` serves in `sandbox`, and the warehouse."""

    served: Served
    data: Path

    @property
    def settings(self) -> Settings:
        return Settings(self.data, self.served.url, KEY)

    def load(self) -> Loaded:
        """One load in this process."""
        return load(self.settings, Progress(io.StringIO(), is_quiet=True))

    def differences(self) -> list[str]:
        """Where the warehouse is not what Stripe holds now, and what its history must not have; [] is the goal."""
        return oracle.differences(self.served.folder, self.data) + oracle.faults_of_history(self.data)

    def asked(self, since: int) -> list[str]:
        """Requests from number `since` on, those for usage left out."""
        return [line for line in self.served.requests[since:] if not line.endswith("/event_summaries")]


@contextmanager
def proving(source: Path, data: Path) -> Iterator[Proof]:
    """A sandbox, and the warehouse if there is one, on a copy of `source` made in `data`, until the block ends."""
    shutil.copytree(source, data, dirs_exist_ok=True)
    with serving(data / "sandbox") as served:
        yield Proof(served, data)
