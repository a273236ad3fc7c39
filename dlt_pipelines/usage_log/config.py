"""How usage logs are written: the section [sources.usage_log] of .dlt/config.toml, or SOURCES__USAGE_LOG__… ."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlt_pipelines.dlt_settings import imported_dlt
from dlt_pipelines.errors import SettingMissing

SECTION = "sources.usage_log"
# What a meter event consists of → the names it goes by where no setting says otherwise, Stripe's own shape first.
FIELDS: dict[str, tuple[str, ...]] = {
    "identifier": ("identifier",),
    "event_name": ("event_name",),
    "customer": ("payload.stripe_customer_id", "customer", "customer_id", "stripe_customer_id"),
    "value": ("payload.value", "value"),
    "timestamp": ("timestamp",),
}
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


@dataclass(frozen=True)
class LogConfig:
    """columns: field of FIELDS → the name it has in the files; a dot goes into a nested object (`payload.value`).

    timestamp_unit: what a whole number in the timestamp counts: s, ms or us since 1970.
    count_events: event names that need no value, besides those of loaded meters whose formula is count.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    timestamp_unit: str = "s"
    count_events: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises SettingMissing for a field that a meter event does not have, or an unknown unit."""
        if unknown := sorted(set(self.columns) - set(FIELDS)):
            raise SettingMissing(
                f"{SECTION}.columns names {', '.join(unknown)}; a meter event has {', '.join(FIELDS)}: "
                "write the field first, as in customer=account_id."
            )
        if self.timestamp_unit not in UNITS:
            raise SettingMissing(f"{SECTION}.timestamp_unit is {self.timestamp_unit!r}; expected s, ms or us.")

    def names(self, of: str) -> tuple[str, ...]:
        """The names under which a field is looked for, best first."""
        return (self.columns[of],) if of in self.columns else FIELDS[of]


def read_log_config(given: Iterable[str] = ()) -> LogConfig:
    """The settings as dlt finds them, with renames such as `customer=account_id` (from the command line) over them.

    Raises SettingMissing for what cannot be understood.
    """
    dlt = imported_dlt()
    columns = dict(_mapping(dlt.config.get(f"{SECTION}.columns") or {}))
    for each in given:
        name, _, column = each.partition("=")
        if not column:
            raise SettingMissing(
                f"--column {each} names no column; expected a field and its column: customer=account_id."
            )
        columns[name] = column
    events: Any = dlt.config.get(f"{SECTION}.count_events") or ()
    return LogConfig(
        columns=columns,
        timestamp_unit=str(dlt.config.get(f"{SECTION}.timestamp_unit") or "s"),
        count_events=tuple(part.strip() for part in (events.split(",") if isinstance(events, str) else events)),
    )


def _mapping(value: Any) -> dict[str, str]:
    """A table of the TOML file as it is; from the environment it comes as JSON."""
    try:
        pairs = json.loads(value) if isinstance(value, str) else dict(value)
        return {str(name): str(column) for name, column in pairs.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise SettingMissing(
            f"{SECTION}.columns is {value!r}; expected a table of fields and columns: {{customer = 'account_id'}}."
        ) from error
