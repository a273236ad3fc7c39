"""How much is read and how often: [sources.stripe] of .dlt/config.toml, or SOURCES__STRIPE__… in the environment."""

from dataclasses import dataclass, fields
from typing import Any

from dlt_pipelines.errors import SettingMissing

SECTION = "sources.stripe"
GRAINS = ("day", "hour")


@dataclass(frozen=True)
class Config:
    """The loader's cadence; .dlt/config.toml says the same with a comment on each.

    events_overlap_minutes: events are asked for again so far before the newest one seen, since some appear late.
    reread_hours: what can change without an event is read again after so many hours of Stripe's clock.
    whole_reread_days: every list is read whole again after so many days, whatever events said.
    skip: tables that are not read, for a feature that the account or the key lacks.
    rate_share: of Stripe's rate limits, in (0, 1]. workers: requests in flight, 1 to 64.
    usage_…: see usage.py; grain is day or hour.
    """

    events_overlap_minutes: int = 60
    reread_hours: int = 24
    whole_reread_days: int = 7
    skip: tuple[str, ...] = ()
    rate_share: float = 0.8
    workers: int = 16
    usage_grain: str = "day"
    usage_recent_days: int = 3
    usage_window_days: int = 36
    usage_window_hours: int = 24

    def __post_init__(self) -> None:
        """Raises SettingMissing for a value that cannot be meant."""
        checks = {
            "events_overlap_minutes": self.events_overlap_minutes >= 1,
            "reread_hours": self.reread_hours >= 0,
            "whole_reread_days": self.whole_reread_days >= 0,
            "rate_share": 0 < self.rate_share <= 1,
            "workers": 1 <= self.workers <= 64,
            "usage_grain": self.usage_grain in GRAINS,
            "usage_recent_days": 1 <= self.usage_recent_days <= self.usage_window_days,
            "usage_window_days": self.usage_window_days >= 36,  # meter events may be dated 35 days back
            "usage_window_hours": self.usage_window_hours >= 0,
        }
        for name, is_fine in checks.items():
            if not is_fine:
                raise SettingMissing(
                    f"{SECTION}.{name} is {getattr(self, name)!r}, which cannot be meant; "
                    "see the comment on it in .dlt/config.toml."
                )


def read_config() -> Config:
    """The configuration as dlt finds it: environment first, then .dlt/config.toml of the working folder, then defaults.

    Raises SettingMissing for a value of the wrong type. dlt is imported here because that takes more than a second.
    """
    import dlt

    given: dict[str, Any] = {}
    for field in fields(Config):
        value = dlt.config.get(f"{SECTION}.{field.name}")
        if value is None:
            continue
        try:
            given[field.name] = _as_type(field.name, value)
        except (TypeError, ValueError) as error:
            raise SettingMissing(
                f"{SECTION}.{field.name} is {value!r}; expected {field.type}: see .dlt/config.toml."
            ) from error
    return Config(**given)


def _as_type(name: str, value: Any) -> Any:
    default = getattr(Config, name)
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(part.strip() for part in parts if part.strip())
    return type(default)(value)
