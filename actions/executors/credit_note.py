"""A credit note: POST /v1/credit_notes, so much less to pay of an open invoice, or credit for a paid one."""

from actions.executors import reads
from actions.executors.base import Facts, Row, Undo, carries, require
from actions.port import StripeReader
from actions.state import Request
from actions.text import money

_KEYS = {"amount", "credit_amount", "email_type", "invoice", "lines", "reason"}
_LINE = {"amount", "invoice_line_item", "quantity", "type"}  # no free text of ours on a customer's document
_FACTS = ("customer", "currency", "livemode", "invoice", "invoice_status")


class CreditNote:
    """Nothing is ever refunded to a card. A note on an open invoice is undone by voiding it; others stay."""

    name = "credit_note"
    kinds: tuple[str, ...] = ("courtesy_credit",)

    def accepts(self, params: Facts) -> bool:
        return "invoice" in params and set(params) <= _KEYS

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: invoice, and amount or lines; credit_amount (all of it) when the invoice is paid; reason,
        email_type. The precondition has the invoice's status and `total`, what Stripe's preview must come to.
        """
        require(set(params) <= _KEYS and ("amount" in params) != ("lines" in params), f"an amount or lines of a {kind}")
        reads.require_amount(precondition.get("total"), amount_minor)
        reads.require_same(params | {"total": params.get("amount", amount_minor)}, precondition, "invoice", "total")
        require(all(set(line) <= _LINE for line in params.get("lines", [])), f"lines with {sorted(_LINE)} only")
        require(precondition.get("invoice_status") in ("open", "paid"), "an invoice that is open or paid")
        wanted = amount_minor if precondition["invoice_status"] == "paid" else None
        require(params.get("credit_amount") == wanted, f"a credit_amount of {wanted} for such an invoice")
        sent: Facts = {"email_type": "none"} | params | {"metadata": {}}  # Stripe's default writes to the customer
        return [Request(self.name, "post", "/v1/credit_notes", sent, "CreditNoteCreateParams")]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        invoice, mail = f"invoice {precondition['invoice']}", steps[0].params.get("email_type", "none")
        if reads.is_ending(steps[0]):
            return [(f"credit note on {invoice}", "issued", "void"), ("undo", "", "not possible")]
        amount = money(precondition["total"], precondition["currency"])
        is_open = precondition["invoice_status"] == "open"
        after = f"{amount} less to pay" if is_open else f"{amount} credit on the customer's balance"
        undo = "the note is voided, while the invoice is open" if is_open else "not possible: a note on a paid invoice"
        return [(invoice, precondition["invoice_status"], after), ("e-mail by Stripe", "", mail), ("undo", "", undo)]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return {"is_deleted": False, "customer_currency": precondition["currency"]} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """GETs of invoice, customer, and Stripe's preview (or the note)."""
        facts = reads.invoice_facts(reader, expected["invoice"])
        if reads.is_ending(request):
            facts["note_status"] = (reads.ended(reader, request) or {}).get("status")
        elif facts["invoice_status"] == expected["invoice_status"]:  # else there is nothing to preview
            facts |= _preview(reader, request)
        return reads.shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        """total and currency of the note; total None when Stripe says it cannot be made. Raises StripeUnusable."""
        return None if reads.is_ending(request) else _preview(reader, request)

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The invoice's note with the tags; a voided note is its own proof."""
        if reads.is_ending(request):
            return note if (note := reads.ended(reader, request)) and note["status"] == "void" else None
        notes = reader.list(request.path, {"invoice": request.params["invoice"]})
        return next((found for found in notes if carries(found, request)), None)

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        if reads.is_ending(steps[0]) or 0 not in made or precondition["invoice_status"] != "open":
            return None
        void = Request(self.name, "post", f"/v1/credit_notes/{made[0]}/void", {}, "CreditNoteVoidCreditNoteParams")
        return [void], {key: precondition[key] for key in _FACTS} | {"note_status": "issued"}


def _preview(reader: StripeReader, request: Request) -> Facts:
    asked = {key: value for key, value in request.params.items() if key != "metadata"}
    found = reads.read_or_refused(reader, "/v1/credit_notes/preview", asked)
    return {"total": None} if found is None else {"total": found["total"], "currency": found["currency"]}
