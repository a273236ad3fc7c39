"""A decision that is recorded and not carried out: what people or another part of this project then do."""

import re
from datetime import date

from actions.executors.base import Facts, Row, Undo, require
from actions.executors.reads import customer_facts, invoice_facts, require_amount, require_same, shown
from actions.port import StripeReader
from actions.state import Request
from actions.text import money

# Codes, ids, dates and hashes: a name, an address or a sentence does not fit, so none can get into the ledger.
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,80}", re.ASCII)
_KEYS = {"payment_plan": {"instalments", "invoice"}, "customer_message": {"locale", "template", "text_hash"},
         "phase_change": {"kind", "phase"}}  # fmt: skip


class Decision:
    """Method "record": no call, so nothing to find and nothing to undo."""

    name = "decision"
    kinds: tuple[str, ...] = tuple(_KEYS)

    def accepts(self, params: Facts) -> bool:
        return set(params) in _KEYS.values()

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: of a payment_plan invoice and instalments [{amount, due_on}] that come to what is left to pay; of a
        customer_message template, locale and text_hash; of a phase_change kind and phase. Raises BadRecommendation.
        """
        require(set(params) == _KEYS[kind], f"a {kind} with {', '.join(sorted(_KEYS[kind]))}")
        if kind == "payment_plan":
            require_same(params, precondition, "invoice")
            require(precondition.get("invoice_status") == "open", "an open invoice")
            parts = params["instalments"]
            require(all(set(part) == {"amount", "due_on"} for part in parts), "an amount and a due_on each")
            days = [part["due_on"] for part in parts]
            require(all(type(part["amount"]) is int and part["amount"] > 0 for part in parts), "whole amounts above 0")
            require_amount(precondition.get("amount_remaining"), amount_minor)
            require_amount(sum(part["amount"] for part in parts), amount_minor)
            later = sorted({date.fromisoformat(day).isoformat() for day in days})
            require(len(days) > 1 and days == later, "two or more days, each later than the one before")
        else:
            require(amount_minor == 0, f"no exposure for a {kind}, not {amount_minor}")
            is_code = [isinstance(value, str) and _CODE.fullmatch(value) for value in params.values()]
            require(all(is_code), "codes and hashes only")
        return [Request(self.name, "record", f"decision/{kind}", params)]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        params, rows = steps[0].params, []
        for part in params.get("instalments", []):
            rows.append((f"due on {part['due_on']}", "", money(part["amount"], precondition["currency"])))
        rows += [(key, "", str(params[key])) for key in sorted(params) if key != "instalments"]
        return [*rows, ("undo", "", "nothing is called, so nothing is undone: decide again")]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return ({"is_deleted": False} if precondition.get("customer") else {}) | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """The facts of the invoice or customer that it names; what is not Stripe's is taken as it is."""
        if "invoice" in expected:
            return shown(expected, expected | invoice_facts(reader, expected["invoice"]))
        if expected.get("customer"):
            return shown(expected, expected | customer_facts(reader, expected["customer"]))
        return expected

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        return None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        return None
