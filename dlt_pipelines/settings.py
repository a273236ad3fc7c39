"""Every setting of this package, read from the environment in one place."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dlt_pipelines.errors import KeyRefused, SettingMissing

STRIPE_API = "https://api.stripe.com"
SECRETS = Path(".dlt/secrets.toml")  # where dlt's users keep keys; git ignores it
_READING_KEYS = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Settings:
    """Where the state is and how Stripe is reached. Keys and secrets never show in a repr, so they reach no log."""

    data: Path
    api_base: str = STRIPE_API
    api_key: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    destination: Path | None = None
    publish_personal: bool = False

    @property
    def warehouse(self) -> Path:
        """The build file that dbt and the loader write: in the state folder unless `destination` names another."""
        return self.destination or self.data / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The copy that people and tools read."""
        return self.data / "published" / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        """The ledger that `actions` writes; only read here."""
        return self.data / "ledger" / "ledger.sqlite"

    @property
    def inbox(self) -> Path:
        """Webhook events that wait for a load."""
        return self.data / "landing" / "inbox.sqlite"

    @property
    def dlt(self) -> Path:
        """dlt's working folder (its pipelines_dir)."""
        return self.data / "dlt"

    @property
    def dbt_results(self) -> Path:
        """What the last dbt run left, for its invocation id."""
        return self.data / "dbt" / "run_results.json"

    @property
    def dbt_manifest(self) -> Path:
        """What the last dbt run left, for what each column of a mart is."""
        return self.data / "dbt" / "manifest.json"

    @property
    def is_live(self) -> bool:
        """Whether the key reads real money."""
        return self.api_key.startswith(("sk_live_", "rk_live_"))

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine (the sandbox), where no rate limit is ours to keep."""
        return urlsplit(self.api_base).hostname in _LOOPBACK


def read_settings(environment: Mapping[str, str]) -> Settings:
    """METERWISE_DATA, STRIPE_API_BASE, and two that may be empty: STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET.

    dlt's own names work beside ours: SOURCES__STRIPE__STRIPE_SECRET_KEY for the key (or stripe_secret_key under
    [sources.stripe] of .dlt/secrets.toml) and DESTINATION__DUCKDB__CREDENTIALS for the warehouse's path.
    METERWISE_PUBLISH_PII is 1 or means no.
    """
    destination = environment.get("DESTINATION__DUCKDB__CREDENTIALS", "").removeprefix("duckdb:///")
    if ":" in destination or destination.startswith("{"):  # md:…, :memory: and JSON would become odd names of files
        raise SettingMissing(
            "DESTINATION__DUCKDB__CREDENTIALS is no path of a file; expected one, such as data/warehouse.duckdb or "
            "duckdb:////srv/warehouse.duckdb: the warehouse is a DuckDB file on this machine."
        )
    return Settings(
        data=Path(environment.get("METERWISE_DATA") or "data").absolute(),
        api_base=(environment.get("STRIPE_API_BASE") or STRIPE_API).rstrip("/"),
        api_key=_key(environment).strip(),
        webhook_secrets=tuple(filter(None, map(str.strip, environment.get("STRIPE_WEBHOOK_SECRET", "").split(",")))),
        destination=Path(destination).absolute() if destination else None,
        publish_personal=environment.get("METERWISE_PUBLISH_PII") == "1",
    )


def _key(environment: Mapping[str, str]) -> str:
    given = environment.get("STRIPE_API_KEY") or environment.get("SOURCES__STRIPE__STRIPE_SECRET_KEY")
    if given is not None or not SECRETS.exists():
        return given or ""
    try:
        secrets = tomllib.loads(SECRETS.read_text())
        return str(secrets.get("sources", {}).get("stripe", {}).get("stripe_secret_key", ""))
    except (ValueError, OSError, AttributeError) as error:
        raise SettingMissing(
            f"{SECRETS} cannot be read ({type(error).__name__}); expected TOML as dlt writes it."
        ) from error


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


def require_webhook_secrets(settings: Settings) -> tuple[str, ...]:
    """The signing secret of the webhook endpoint; two while one replaces the other. Raises SettingMissing."""
    secrets = settings.webhook_secrets
    if not 1 <= len(secrets) <= 2 or not all(secret.startswith("whsec_") and len(secret) > 6 for secret in secrets):
        raise SettingMissing(
            "STRIPE_WEBHOOK_SECRET must be the signing secret (whsec_…) of the webhook endpoint, or two of them with a "
            f"comma between while you roll it; found {len(secrets) or 'none'}. Copy it from the endpoint's page in "
            "the Stripe dashboard (docs/webhooks.md)."
        )
    return secrets
