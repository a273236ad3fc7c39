"""How much is read and how often: [sources.stripe] of .dlt/config.toml, or SOURCES__STRIPE__… in the environment."""

import json
from dataclasses import dataclass, fields
from typing import Any

from dlt_pipelines.dlt_settings import imported_dlt
from dlt_pipelines.errors import SettingMissing

SECTION = "sources.stripe"
GRAINS = ("day", "hour")
_WANTED = {int: "a whole number", float: "a number", str: "text", tuple: 'a list, such as ["disputes"]'}
LONGEST_DAYS = 3_650  # of anything that is set in days: beyond it, never is meant, and dates run out


@dataclass(frozen=True)
class Config:
    """The loader's cadence; .dlt/config.toml says the same with a comment on each.

    events_overlap_minutes: events are asked for again so far before the newest one seen, since some appear late.
    reread_hours: what can change without an event is read again after so many hours of Stripe's clock.
    whole_reread_days: every list is read whole again after so many days, whatever events said.
    skip: tables that are not read, for a feature that the account or the key lacks.
    rate_share: of Stripe's rate limits, in (0, 1]. workers: requests in flight, 1 to 32.
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
            "events_overlap_minutes": (1 <= self.events_overlap_minutes <= LONGEST_DAYS * 24 * 60, "1 or more"),
            "reread_hours": (0 <= self.reread_hours <= LONGEST_DAYS * 24, "0 or more, at most ten years"),
            "whole_reread_days": (0 <= self.whole_reread_days <= LONGEST_DAYS, f"0 to {LONGEST_DAYS}"),
            "rate_share": (0 < self.rate_share <= 1, "more than 0 and at most 1"),
            "workers": (1 <= self.workers <= 32, "1 to 32"),
            "usage_grain": (self.usage_grain in GRAINS, " or ".join(GRAINS)),
            "usage_recent_days": (1 <= self.usage_recent_days <= self.usage_window_days, "1 to usage_window_days"),
            "usage_window_days": (self.usage_window_days >= 36, "36 or more: meter events may be dated 35 days back"),
            "usage_window_hours": (self.usage_window_hours >= 0, "0 or more"),
        }
        for name, (is_fine, expected) in checks.items():
            if not is_fine:
                raise SettingMissing(
                    f"{SECTION}.{name} is {getattr(self, name)!r}; expected {expected}. Mend it in .dlt/config.toml, "
                    "or in the environment."
                )


def read_config() -> Config:
    """The configuration as dlt finds it: environment first, then .dlt/config.toml of the working folder, then defaults.

    Raises SettingMissing for a value of the wrong type.
    """
    dlt = imported_dlt()
    given: dict[str, Any] = {}
    for field in fields(Config):
        value = dlt.config.get(f"{SECTION}.{field.name}")
        if value is None:
            continue
        try:
            given[field.name] = _as_type(field.name, value)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise SettingMissing(
                f"{SECTION}.{field.name} is {value!r}; expected {_WANTED[type(getattr(Config, field.name))]}. "
                "Mend it in .dlt/config.toml, or in the environment."
            ) from error
    return Config(**given)


def _as_type(name: str, value: Any) -> Any:
    default = getattr(Config, name)
    if isinstance(default, tuple):
        is_json = isinstance(value, str) and value.lstrip().startswith("[")  # a list in the environment, as dlt has it
        parts = json.loads(value) if is_json else value.split(",") if isinstance(value, str) else list(value)
        return tuple(part.strip() for part in parts if part.strip())
    return type(default)(value)
