"""Every refusal of this package: what was found, what was expected, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path


class MlError(Exception):
    """Base of all refusals; `exit_code` is what the command line leaves with (design.md 7)."""

    exit_code = 1


class WarehouseMissing(MlError):
    """There is no warehouse file to read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"No warehouse at {path}. Load and build first (`make run`), or set METERWISE_DATA.")


class WarehouseLocked(MlError):
    """Another process has the warehouse open for writing."""

    exit_code = 4

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is locked by {holder}. Wait for it to end, or stop it, and run this again.")


class RelationMissing(MlError):
    """A contracted table is not in the warehouse."""

    def __init__(self, relation: str) -> None:
        super().__init__(f"The warehouse has no table {relation}. Run `dbt build --exclude tag:after_ml` first.")


class ColumnsMissing(MlError):
    """A contracted table lacks columns that the models read."""

    def __init__(self, relation: str, missing: Sequence[str]) -> None:
        names = ", ".join(missing)
        super().__init__(f"{relation} lacks {names}, which ml reads. Rebuild the dbt features.")


class RowsAfterAsOf(MlError):
    """A table holds rows later than the day it claims to be built for: reading them would leak the future."""

    def __init__(self, relation: str, rows: int, newest: date, as_of: date) -> None:
        super().__init__(
            f"{relation} has {rows} rows after as-of {as_of} (newest {newest}), so scores would see the future. "
            "Rebuild it with dbt for one as_of."
        )


class NotAnOrigin(MlError):
    """`--as-of` names a day for which no features were built."""

    exit_code = 2

    def __init__(self, asked: date, built: date) -> None:
        super().__init__(
            f"No features for as-of {asked}; the warehouse was built for {built} and every 7th day before it. "
            f"Choose one of those, or rebuild with `dbt build --vars '{{as_of: {asked}}}'`."
        )


class NothingToDo(MlError):
    """There is no data to work on, which is not a fault."""

    exit_code = 3


class NoChampion(MlError):
    """Nothing has been trained yet."""

    exit_code = 3

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} has no champion yet. Run `python -m ml train` first.")


class RegistryUnreachable(MlError):
    """The MLflow store could not be opened."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(
            f"The MLflow registry at {uri} cannot be reached ({cause}). Check MLFLOW_TRACKING_URI and that it is up."
        )


class ArtifactIncomplete(MlError):
    """The champion's files do not hold what a champion must hold."""

    def __init__(self, model: str, version: str, what: str) -> None:
        super().__init__(f"{model} version {version} has no readable {what}. Train again: `python -m ml train`.")


class BadSetting(MlError):
    """A variable holds something that cannot be used."""

    exit_code = 2


class FeaturesChanged(MlError):
    """The champion learned from another list of features than this code builds."""

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"{model} version {version} was trained on other features than this version of ml builds. "
            "Train again: `python -m ml train`."
        )
