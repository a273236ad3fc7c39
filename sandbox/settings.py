"""The sandbox's environment, read in this one place."""

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
COMPANY_FILE = Path(__file__).resolve().parent / "company.toml"


@dataclass(frozen=True)
class Settings:
    """Where the sandbox keeps its state; `data` is $METERWISE_DATA made absolute."""

    data: Path

    @property
    def state(self) -> Path:
        return self.data / "sandbox"

    @staticmethod
    def from_environment() -> "Settings":
        """Read METERWISE_DATA (default `data`, relative to the current directory)."""
        return Settings(data=Path(os.environ.get("METERWISE_DATA") or "data").absolute())
