"""Everything the environment decides, read in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from actions.errors import ActionError

STRIPE_API = "https://api.stripe.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WRITES_PER_SECOND = 2  # design.md section 8: far below Stripe's 25 per second, so that a run can be stopped
KEYS = {"load": "STRIPE_API_KEY", "shadow": "STRIPE_SHADOW_KEY", "act": "STRIPE_ACTIONS_KEY"}


@dataclass(frozen=True)
class Settings:
    """data: the state folder (METERWISE_DATA). Keys are Stripe's, empty when not set; only `doctor` uses load_key.

    is_live_allowed: METERWISE_LIVE=1, the second of the two switches for a live key.
    timeout_s: seconds to wait for Stripe; the outcome of a call that took longer is unknown, not failed.
    writes_per_second: 0 turns the pacing off.
    stripe_log: the SDK's own debug switch, which prints customers' data.
    """

    data: Path
    shadow_key: str = ""
    actions_key: str = ""
    api_base: str = STRIPE_API
    is_live_allowed: bool = False
    timeout_s: float = 80
    writes_per_second: int = WRITES_PER_SECOND
    load_key: str = ""
    stripe_log: str = ""

    @property
    def published(self) -> Path:
        return self.data / "published" / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        return self.data / "ledger" / "ledger.sqlite"

    @property
    def head(self) -> Path:
        """Kept apart from the ledger (another folder, so that it can be another volume)."""
        return self.data / "ledger-head" / "head.json"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises ActionError when a number is not one, or is below what makes sense."""
    try:
        found = Settings(
            data=Path(environ.get("METERWISE_DATA") or "data").absolute(),
            load_key=environ.get(KEYS["load"], ""),
            shadow_key=environ.get(KEYS["shadow"], ""),
            actions_key=environ.get(KEYS["act"], ""),
            api_base=environ.get("STRIPE_API_BASE") or STRIPE_API,
            is_live_allowed=environ.get("METERWISE_LIVE", "") == "1",
            stripe_log=environ.get("STRIPE_LOG", ""),
            timeout_s=float(environ.get("METERWISE_STRIPE_TIMEOUT") or 80),
            writes_per_second=int(environ.get("METERWISE_WRITES_PER_SECOND") or WRITES_PER_SECOND),
        )
        if not (0 < found.timeout_s < 3_600 and found.writes_per_second >= 0):
            raise ValueError("expected over 0 and under 3,600 seconds, and 0 (no pacing) or more writes")
        return found
    except ValueError as error:
        names = "METERWISE_STRIPE_TIMEOUT and METERWISE_WRITES_PER_SECOND"
        raise ActionError(f"{names} are numbers: {error}; correct it in .env") from error
