"""Why a bill is what it is, or what one day did to it: sentences and figures of the published copy, laid out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dlt_pipelines.errors import LoaderError
from dlt_pipelines.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]
SHORTEST = 4  # characters of an id that may stand for the whole of it
MOST_NAMED = 5

DAY_COLUMNS = {
    "name": "meter",
    "quantity": "that day",
    "usual_quantity": "usual",
    "cost_text": "that day's tiers",
    "extra_text": "beside usual",
    "incident_kind": "incident",
    "incident_excess_text": "of the whole period",
    "cause": "cause",
}
PART_COLUMNS = {
    "part": "part",
    "name": "name",
    "quantity": "quantity",
    "amount_text": "amount",
    "change_text": "change",
}

_DAYS = """
    select * from marts.usage_day_explanations where customer_id = ? and usage_date = ?
    order by
        anomaly_id is not null desc, abs(coalesce(incident_excess_minor, 0)) desc, abs(coalesce(extra_minor, 0)) desc,
        abs(quantity / nullif(usual_quantity, 0) - 1) desc nulls last, subscription_item_id
"""
_SPAN = "select min(usage_date), max(usage_date) from marts.usage_day_explanations"
_INVOICES = """
    select * from marts.invoice_explanations where customer_id = ? and (invoice_id = ? or ? is null)
    order by invoice_day desc, is_newest desc, invoice_id limit 1
"""
_PARTS = """
    select * from marts.invoice_explanation_parts where account_id = ? and invoice_id = ?
    order by is_in_total desc, abs(coalesce(change_minor, amount_minor)) desc, part, subject_id
"""


class NothingToExplainFrom(LoaderError):
    """There is no published copy, or one of an older version."""


class Unknown(LoaderError):
    """Nobody, or no invoice, of that id is in the published copy."""


class Ambiguous(LoaderError):
    """A short id that several customers have."""

    exit_code = 5


class NotCovered(LoaderError):
    """The day, or the invoice, is outside of what is explained."""

    exit_code = 3


@dataclass(frozen=True)
class Answer:
    """said: the sentences, as a mart has them. rows: the figures behind them; columns: what of them is shown."""

    customer_id: str
    said: str
    columns: dict[str, str]
    rows: Rows

    def lines(self) -> list[str]:
        """The sentences and a table of the figures."""
        shown = [[_text(row[column]) for column in self.columns] for row in self.rows]
        table = [list(self.columns.values()), *shown]
        widths = [max(len(row[place]) for row in table) for place in range(len(self.columns))]
        return [self.said, "", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)]

    def as_json(self) -> str:
        """The same for programs: decimals as text, days in ISO."""
        found = {"customer_id": self.customer_id, "said": self.said, "rows": self.rows}
        return json.dumps(found, default=str, ensure_ascii=False, sort_keys=True, indent=2)


def why(settings: Settings, customer: str, day: date | None = None, invoice: str | None = None) -> Answer:
    """What one day did to a customer's bill; without a day, why its newest invoice (or `invoice`) is what it is.

    customer: the id, or a part of it from its beginning or end that only one customer has.
    Raises NothingToExplainFrom, Unknown, Ambiguous, NotCovered.
    """
    import duckdb

    if not settings.published.exists():
        raise NothingToExplainFrom(f"{settings.published} is not there: run `make run` first.")
    try:
        with duckdb.connect(str(settings.published), read_only=True) as connection:
            customer_id = _customer(connection, customer)
            if day is not None:
                return _of_day(connection, customer_id, day)
            return _of_invoice(connection, customer_id, invoice)
    except duckdb.CatalogException as error:
        raise NothingToExplainFrom(
            f"{settings.published} is of a version without explanations: run `make run`, then this again."
        ) from error


def _of_day(connection: DuckDBPyConnection, customer_id: str, day: date) -> Answer:
    found = _rows(connection, _DAYS, [customer_id, day])
    if found:
        return Answer(customer_id, str(found[0]["said"]), DAY_COLUMNS, found)
    first, last = connection.execute(_SPAN).fetchone() or (None, None)
    if first is None:
        raise NotCovered("No metered usage is explained: the published copy has none.")
    if not first <= day <= last:
        raise NotCovered(
            f"{day} is not explained: days from {first} to {last} are; for others see marts.fct_usage_daily."
        )
    raise NotCovered(f"{customer_id} had no metered subscription on {day}, so that there is no usage to explain.")


def _of_invoice(connection: DuckDBPyConnection, customer_id: str, invoice: str | None) -> Answer:
    found = _rows(connection, _INVOICES, [customer_id, invoice, invoice])
    if not found:
        what = f"Invoice {invoice} of {customer_id}" if invoice else f"{customer_id} has no final invoice that"
        raise NotCovered(
            f"{what} is {'not ' if invoice else ''}explained: final invoices of the last months are "
            "(explained_months in dbt_project.yml); marts.fct_invoices has all."
        )
    parts = _rows(connection, _PARTS, [found[0]["account_id"], found[0]["invoice_id"]])
    return Answer(customer_id, str(found[0]["said"]), PART_COLUMNS, parts)


def _customer(connection: DuckDBPyConnection, customer: str) -> str:
    """The whole id. Raises Unknown, Ambiguous."""
    found = _rows(
        connection,
        "select customer_id from marts.dim_customers where customer_id = $id or (length($id) >= $shortest and ("
        "starts_with(customer_id, $id) or ends_with(customer_id, $id))) order by customer_id = $id desc, customer_id",
        {"id": customer, "shortest": SHORTEST},
    )
    ids = [str(row["customer_id"]) for row in found]
    if customer in ids or len(ids) == 1:
        return ids[0]
    if not ids:
        raise Unknown(
            f"No customer {customer[:40]!r} is in the published copy: give the id as in marts.dim_customers, or "
            f"{SHORTEST} and more of its first or last characters."
        )
    named = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
    raise Ambiguous(f"{customer!r} is short for {len(ids)} customers ({named}): give more of the id.")


def _rows(connection: DuckDBPyConnection, query: str, values: Any) -> Rows:
    found = connection.execute(query, values)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"
    return str(value)
