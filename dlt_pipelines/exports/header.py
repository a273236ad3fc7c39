"""What a CSV's columns say: whether its rows are invoices or lines, which column is what, and the unit of its money."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlt_pipelines.errors import ExportUnreadable

# A field, and the columns that may hold it, after `_plain`. Sigma's own names come first.
_NAMES = {
    "line_id": ("line_item_id", "invoice_line_item_id", "invoice_line_id", "invoice_line_item"),
    "invoice_id": ("invoice_id", "invoice"),
    "invoice_number": ("number", "invoice_number"),
    "currency": ("currency", "invoice_currency"),
}
_AMOUNT = {
    "line": ("amount", "line_item_amount", "invoice_line_item_amount", "line_amount"),
    "invoice": ("total", "invoice_total"),
}
SIGMA = {"line": "id, invoice_id, currency, amount", "invoice": "id, currency, total"}


@dataclass(frozen=True)
class Header:
    """kind: line or invoice; columns: field to position; units: minor or major; is_told: somebody said the units."""

    kind: str
    columns: dict[str, int]
    units: str
    is_told: bool


def read_header(header: Sequence[str], path: str, units: str | None) -> Header:
    """Recognise an export by its first row. Raises ExportUnreadable, naming the columns that are missing.

    units: minor or major as the user says; else columns in Sigma's spelling (`amount`) are minor units, and those in
    the Dashboard's and Reporting's (`Amount`, `line_item_amount`) are major ones.
    """
    places = {name: place for place, name in reversed(list(enumerate(map(_plain, header))))}
    found = {field: places[name] for field, names in _NAMES.items() for name in reversed(names) if name in places}
    if "id" in places:
        found.setdefault("line_id" if "invoice_id" in found else "invoice_id", places["id"])
    kind = "line" if "line_id" in found else "invoice"
    amount = next((name for name in _AMOUNT[kind] if name in places), None)
    missing = [name for name in ("invoice_id", "currency") if name not in found]
    if kind == "invoice" and "invoice_number" in found:
        missing = [name for name in missing if name != "invoice_id"]
    if amount is None:
        missing.append(_AMOUNT[kind][0])
    if missing or amount is None:
        raise ExportUnreadable(
            f"{path} has no column {' and none '.join(missing)}; expected an export of lines "
            f"({SIGMA['line']}) or of invoices ({SIGMA['invoice']}): docs/exports.md."
        )
    is_sigmas = header[places[amount]].strip() == _AMOUNT[kind][0]
    return Header(kind, found | {"amount": places[amount]}, units or ("minor" if is_sigmas else "major"), bool(units))


def _plain(name: str) -> str:
    """`Amount Due (USD)` as amount_due_usd."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().lstrip("\ufeff")).strip("_")
