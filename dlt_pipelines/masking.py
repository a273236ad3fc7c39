"""What is personal in a mart, by dbt's manifest, and what stands in for it in the published copy.

A column is tagged where it is described (`meta: {pii: true, mask: …}`), so no second list can drift from the marts.
What the manifest does not know is never published.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_pipelines.errors import ColumnUnknown, ManifestUnusable
from dlt_pipelines.quoting import quoted

# mask → what is selected for a value that is there. `names` is the row's customer in intermediate.int_customer_names.
MASKS = {
    # text typed by hand: nobody can tell what is in it
    "": "'withheld'",
    # identifiers that may be typed by hand: the same text has the same code, so that it still groups and joins
    "code": "'withheld ' || left(sha256({column}), 8)",
    # the same, where most are ids that Stripe made up: those stay
    "id": """case
        when regexp_full_match({column}, '[a-z]+(_[a-z]+)*_[A-Za-z0-9]{14,}') then {column}
        else 'withheld ' || left(sha256({column}), 8)
    end""",
    # an id of a customer, or made of one, where a log may name whom Stripe does not know, in any way
    "customer": "case when names.customer_id is null then 'withheld ' || left(sha256({column}), 8) else {column} end",
    # a customer's name
    "name": "coalesce(names.stand_in, 'withheld')",
    # Texts that the models build around a customer's name; a line that is about no customer holds none. Only a name
    # that stands there once is replaced: the other places where it was found would tell a reader of the templates what
    # it is, and one that was not found may stand there written in another way.
    "sentence": """case
        when mart.customer_id is null then {column}
        when names.customer_id is null then 'withheld'
        when coalesce(names.name_in_text, '') = '' then {column}
        when length(replace({column}, names.name_in_text, '')) + length(names.name_in_text) = length({column})
            then replace({column}, names.name_in_text, names.stand_in)
        else 'withheld'
    end""",
}
OF_A_CUSTOMER = {"customer", "name", "sentence"}


@dataclass(frozen=True)
class Mart:
    """A mart as the manifest describes it: each of its columns, with its mask if it is personal."""

    name: str
    columns: Mapping[str, str | None]


def read_marts(manifest: Path) -> dict[str, Mart]:
    """Every mart of the dbt project by its table's name.

    Raises ManifestUnusable when dbt left no manifest, or one that cannot be read.
    """
    try:
        nodes = json.loads(manifest.read_bytes())["nodes"].values()
        models = [node for node in nodes if node["resource_type"] == "model" and node["schema"] == "marts"]
        return {node["alias"]: Mart(node["alias"], _masks(node)) for node in models}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestUnusable(
            f"{manifest} does not say which columns are personal ({type(error).__name__}), so nothing was published; "
            "run `dbt build`, which writes it, then this again."
        ) from error


def select(mart: Mart, built: list[str], is_masked: bool) -> str:
    """The statement that reads the mart out of the attached database `warehouse`, personal columns masked.

    built: the columns that the table has, in order. Raises ColumnUnknown when the manifest lacks one of them.
    """
    if unknown := [column for column in built if column not in mart.columns]:
        raise ColumnUnknown(
            f"marts.{mart.name} has columns that dbt's manifest does not know ({', '.join(unknown)}), so nothing says "
            "whether they are personal; nothing was published: run `dbt build`, then this again."
        )
    table = f"warehouse.marts.{quoted(mart.name)} as mart"
    masks = {column: mask for column in built if is_masked and (mask := mart.columns[column]) is not None}
    if not {"account_id", "customer_id"} <= set(built):  # nothing says whose name it is
        masks = {column: "" if mask in OF_A_CUSTOMER else mask for column, mask in masks.items()}
    columns = ", ".join(_shown(column, masks.get(column)) for column in built)
    if OF_A_CUSTOMER & set(masks.values()):
        table += " left join warehouse.intermediate.int_customer_names as names using (account_id, customer_id)"
    return f"select {columns} from {table}"  # noqa: S608 - names are quoted


def _masks(node: Mapping[str, Any]) -> dict[str, str | None]:
    """Each column's mask; None for one that is not personal. An unknown mask hides the whole text."""
    found: dict[str, str | None] = {}
    for name, column in node["columns"].items():
        meta = column["meta"] | (column.get("config") or {}).get("meta", {})
        mask = str(meta.get("mask") or "")
        found[name] = (mask if mask in MASKS else "") if meta.get("pii") or mask else None
    return found


def _shown(column: str, mask: str | None) -> str:
    name = quoted(column)
    if mask is None:
        return f"mart.{name}"
    masked = MASKS[mask].replace("{column}", f"mart.{name}")
    return f"case when mart.{name} is not null then {masked} end as {name}"
