"""Every setting of this package, read from the environment in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dlt_pipelines.errors import KeyRefused, SettingMissing

STRIPE_API = "https://api.stripe.com"
_READING_KEYS = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Settings:
    """Where the state is and how Stripe is reached. `api_key` never shows in a repr, so it never reaches a log."""

    data: Path
    api_base: str = STRIPE_API
    api_key: str = field(default="", repr=False)

    @property
    def warehouse(self) -> Path:
        """The build file that dbt and the loader write."""
        return self.data / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The copy that people and tools read."""
        return self.data / "published" / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        """The ledger that `actions` writes; only read here."""
        return self.data / "ledger" / "ledger.sqlite"

    @property
    def dlt(self) -> Path:
        """dlt's working folder (its pipelines_dir)."""
        return self.data / "dlt"

    @property
    def dbt_results(self) -> Path:
        """What the last dbt run left, for its invocation id."""
        return self.data / "dbt" / "run_results.json"

    @property
    def is_live(self) -> bool:
        """Whether the key reads real money."""
        return self.api_key.startswith(("sk_live_", "rk_live_"))

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine (the sandbox), where no rate limit is ours to keep."""
        return urlsplit(self.api_base).hostname in _LOOPBACK


def read_settings(environment: Mapping[str, str]) -> Settings:
    """METERWISE_DATA, STRIPE_API_BASE and STRIPE_API_KEY; the key may be empty, for commands that need none."""
    return Settings(
        data=Path(environment.get("METERWISE_DATA") or "data").absolute(),
        api_base=(environment.get("STRIPE_API_BASE") or STRIPE_API).rstrip("/"),
        api_key=environment.get("STRIPE_API_KEY", "").strip(),
    )


def require_key(settings: Settings) -> None:
    """Refuse a key that cannot read billing data. Live restricted keys are fine: loading only reads.

    Raises SettingMissing for no key or an unknown one, KeyRefused for a publishable key.
    """
    if not settings.api_key:
        raise SettingMissing(
            "STRIPE_API_KEY is not set; set it to a restricted read-only key (rk_test_… or rk_live_…), "
            "or run `python -m sandbox exec -- python -m dlt_pipelines load`, which sets it."
        )
    if settings.api_key.startswith("pk_"):
        raise KeyRefused(
            "STRIPE_API_KEY is a publishable key (pk_…), which cannot read billing data; "
            "make a restricted read-only key (rk_…) in the Stripe dashboard."
        )
    if not settings.api_key.startswith(_READING_KEYS):
        raise SettingMissing(
            "STRIPE_API_KEY is no Stripe key: expected a secret or restricted one of test or live mode; "
            "copy the whole key from the Stripe dashboard."
        )
