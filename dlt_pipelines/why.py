"""Why a bill is what it is, or what one day did to it: sentences and figures of the published copy, laid out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dlt_pipelines.errors import LoaderError
from dlt_pipelines.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]
SHORTEST = 4  # characters of an id that may stand for the whole of it
MOST_NAMED = 5
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

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
# In a masked copy a name is what stands in for it.
_CUSTOMERS = """
    select customer_id, customer_id = $asked as is_whole, name is not null and lower(name) = lower($asked) as is_name,
        starts_with(customer_id, $asked) or ends_with(customer_id, $asked) as is_id
    from marts.dim_customers
    where customer_id = $asked or lower(name) = lower($asked) or (length($asked) >= $shortest and (
        starts_with(customer_id, $asked) or ends_with(customer_id, $asked) or contains(lower(name), lower($asked))
    ))
    order by customer_id
"""
_INVOICES = """
    select * from marts.invoice_explanations where customer_id = ? and (invoice_id = ? or ? is null)
    order by invoice_day desc, is_newest desc, invoice_id limit 1
"""
_KNOWN = """
    select customer_id, cast(created_at as date) as day, finalized_at from marts.fct_invoices where invoice_id = ?
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


class NotADay(LoaderError):
    """What was given for a day is none."""

    exit_code = 2


class NotCovered(LoaderError):
    """The day, or the invoice, is outside of what is explained."""

    exit_code = 3


@dataclass(frozen=True)
class Answer:
    """said: the sentences, as a mart has them. rows: the figures behind them; columns: what of them is shown.

    invoice_id: what is explained, None where it is a day.
    """

    customer_id: str
    said: str
    columns: dict[str, str]
    rows: Rows
    invoice_id: str | None = None

    def lines(self) -> list[str]:
        """The sentences, a table of the figures, and where to say that they are wrong."""
        shown = [[_text(row[column]) for column in self.columns] for row in self.rows]
        table = [list(self.columns.values()), *shown]
        widths = [max(len(row[place]) for row in table) for place in range(len(self.columns))]
        rows_said = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        review = f"python -m actions review {self.invoice_id} agree|wrong|edited --reason …"
        return [self.said, "", *rows_said, *(["", f"To say what you think of it: {review}"] if self.invoice_id else [])]

    def as_json(self) -> str:
        """The same for programs: decimals as text, days in ISO."""
        found = {
            "customer_id": self.customer_id,
            "invoice_id": self.invoice_id,
            "said": self.said,
            "rows": self.rows,
        }
        return json.dumps(found, default=str, ensure_ascii=False, sort_keys=True, indent=2)


def why(settings: Settings, customer: str, day: str | None = None, invoice: str | None = None) -> Answer:
    """What one day did to a customer's bill; without a day, why its newest invoice (or `invoice`) is what it is.

    customer: the id, or a part of it from its beginning or end, or of its name, that only one customer has.
    day: ISO, UTC. Raises NothingToExplainFrom, Unknown, Ambiguous, NotADay, NotCovered.
    """
    import duckdb

    if not settings.published.exists():
        raise NothingToExplainFrom(f"{settings.published} is not there: run `make run` first.")
    try:
        with duckdb.connect(str(settings.published), read_only=True) as connection:
            customer_id = _customer(connection, customer)
            if day is not None:
                return _of_day(connection, customer_id, _day(connection, day))
            return _of_invoice(connection, customer_id, invoice)
    except duckdb.CatalogException as error:
        raise NothingToExplainFrom(
            f"{settings.published} is of a version without explanations: run `make run`, then this again."
        ) from error


def _day(connection: DuckDBPyConnection, text: str) -> date:
    """Raises NotADay; a weekday is answered with the newest one that there is, and left to the reader to confirm."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        newest = (connection.execute(_SPAN).fetchone() or (None, None))[1]
        named = [number for number, name in enumerate(WEEKDAYS) if name in text.lower()]
        hint = ""
        if newest is not None and len(named) == 1:
            meant = newest - timedelta(days=(newest.weekday() - named[0]) % 7)
            hint = f"; the last {WEEKDAYS[named[0]].capitalize()} in the data is {meant}"
        raise NotADay(f"{text[:40]!r} is no day that can be looked up: give it as YYYY-MM-DD, UTC{hint}.") from error


def _of_day(connection: DuckDBPyConnection, customer_id: str, day: date) -> Answer:
    found = _rows(connection, _DAYS, [customer_id, day])
    if found:
        return Answer(customer_id, str(found[0]["said"]), DAY_COLUMNS, found)
    first, last = connection.execute(_SPAN).fetchone() or (None, None)
    if first is None:
        raise NotCovered("No metered usage is explained: the published copy has none.")
    if day > last:
        raise NotCovered(f"{day} is not explained: the data end with {last}; days from {first} on are.")
    if day < first:
        raise NotCovered(
            f"{day} is not explained: days from {first} to {last} are; for others see marts.fct_usage_daily."
        )
    raise NotCovered(f"{customer_id} had no metered subscription on {day}, so that there is no usage to explain.")


def _of_invoice(connection: DuckDBPyConnection, customer_id: str, invoice: str | None) -> Answer:
    found = _rows(connection, _INVOICES, [customer_id, invoice, invoice])
    if not found:
        raise _unexplained(connection, customer_id, invoice)
    invoice_id = str(found[0]["invoice_id"])
    parts = _rows(connection, _PARTS, [found[0]["account_id"], invoice_id])
    return Answer(customer_id, str(found[0]["said"]), PART_COLUMNS, parts, invoice_id)


def _unexplained(connection: DuckDBPyConnection, customer_id: str, invoice: str | None) -> LoaderError:
    """Why no explanation was found, of `invoice` or at all."""
    covered = "final invoices of the last months are (explained_months in dbt_project.yml); marts.fct_invoices has all"
    if invoice is None:
        return NotCovered(f"{customer_id} has no final invoice that is explained: {covered}.")
    known = _rows(connection, _KNOWN, [invoice])
    if not known:
        return Unknown(f"No invoice {invoice[:40]!r} is in the published copy: give its whole id, in_….")
    if customer_id not in {row["customer_id"] for row in known}:
        return Unknown(f"{invoice} is an invoice of {known[0]['customer_id']}, not of {customer_id}.")
    if known[0]["finalized_at"] is None:
        return NotCovered(f"{invoice} is a draft: only final invoices are explained.")
    return NotCovered(f"{invoice} is of {known[0]['day']} and not explained: {covered}.")


def _customer(connection: DuckDBPyConnection, customer: str) -> str:
    """The whole id. Raises Unknown, Ambiguous."""
    found = _rows(connection, _CUSTOMERS, {"asked": customer.strip("… "), "shortest": SHORTEST})
    for is_meant in ("is_whole", "is_id", "is_name"):  # the first that anybody fits; else parts of names
        found = [row for row in found if row[is_meant]] or found
    ids = list(dict.fromkeys(str(row["customer_id"]) for row in found))
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise Unknown(
            f"No customer {customer[:40]!r} is in the published copy: give the id as in marts.dim_customers (cus_…), "
            f"or {SHORTEST} and more of its first or last characters; names are there only where they are published."
        )
    named = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
    raise Ambiguous(f"{customer[:40]!r} fits {len(ids)} customers ({named}): give more of the id.")


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
