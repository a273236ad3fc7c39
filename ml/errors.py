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
        self.what = what
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


class UnknownCustomer(MlError):
    """A picture was asked for of somebody the warehouse does not know."""

    exit_code = 2

    def __init__(self, asked: str) -> None:
        super().__init__(f"There is no customer {asked!r} in marts.dim_customers. Give a Stripe id such as cus_….")


class NothingToDraw(NothingToDo):
    """There is no current forecast to make a picture of."""

    def __init__(self, customer: str | None) -> None:
        super().__init__(
            f"{customer} has no current forecast: no metered item of theirs is in use. Nothing was drawn."
            if customer
            else "No usage is forecast as of today: nothing was drawn. Run `make run` first."
        )


class NoSuchModel(MlError):
    """No registered model has the asked name, or several companies' models have it."""

    exit_code = 2

    def __init__(self, asked: str, names: Sequence[str], *, ambiguous: bool) -> None:
        found = f"{len(names)} companies share this registry" if ambiguous else f"No model is registered as {asked}"
        super().__init__(f"{found}; name one of: {', '.join(names) or 'none yet, run `python -m ml train`'}.")


class NoSuchVersion(MlError):
    """A model has no version of the asked number."""

    exit_code = 2

    def __init__(self, model: str, asked: str) -> None:
        super().__init__(f"{model} has no version {asked!r}. `python -m ml registry list` shows those it has.")


class CannotRollBack(MlError):
    """The version to return to could not serve."""

    exit_code = 6

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(
            f"{model} was not rolled back: version {version} cannot take over: {why}. The champion is unchanged."
        )


class AlertsLocked(MlError):
    """Another process appends to the alerts' file."""

    exit_code = 4

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is being written by another `python -m ml alerts`. Wait for its end, then run again.")


class CannotPromote(MlError):
    """The version that a person wants to serve could not."""

    exit_code = 6

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"{model} version {version} was not promoted: {why}. The champion is unchanged.")


class BadRecipe(MlError):
    """A recipe file cannot be used."""

    exit_code = 2

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"The recipe in {path} cannot be used: {why}. Nothing was trained.")


class LabelsOverlap(MlError):
    """Labels to learn from reach into the time that is tested: every figure of such a split would be too good."""

    def __init__(self, rows: int, newest: date, first_test: date) -> None:
        super().__init__(
            f"{rows} training labels became known only by {newest}, after the first test origin {first_test}. "
            "Leave a gap of the label's horizon (and its waiting time) between the two."
        )


class BadTable(MlError):
    """A file for `bench churn` is no table of customers."""

    exit_code = 2

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} cannot be used: {what}. Give CSV files with one header line, the same columns, and the names of "
            "the id and the label."
        )


class BadPanel(MlError):
    """A file for `bench backtest` or `bench detect` is no panel."""

    exit_code = 2

    def __init__(self, path: Path, what: str, use: str = "backtest") -> None:
        super().__init__(f"{path} is no panel to {use}: {what}. Give Parquet with columns unique_id, ds (date), y.")
