"""A note at the foot of invoices: a customer's invoice_settings.footer (all future ones), or one draft's footer."""

from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.reads import customer_facts, invoice_facts, require_same, require_text, shown
from actions.port import StripeReader
from actions.state import Request


class InvoiceNote:
    """Never overwrites a note that is there. Undone by clearing it, if it is still ours."""

    name = "invoice_note"
    kinds: tuple[str, ...] = ("invoice_note",)

    def accepts(self, params: Facts) -> bool:
        return set(params) in ({"customer", "footer"}, {"invoice", "footer"})

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: footer (plain text, no personal data), and customer or invoice. Raises BadRecommendation."""
        require(self.accepts(params), f"an {kind} with a footer for a customer or an invoice")
        require(amount_minor == 0, f"no exposure for an {kind}, not {amount_minor}")
        require_text(params["footer"], "footer")
        require(precondition.get("footer") is None, "no footer that is there already")
        require_same(params, precondition, *(params.keys() - {"footer"}))
        require(precondition.get("invoice_status", "draft") == "draft", "an invoice that is still a draft")
        return [_note(precondition, params["footer"], "invoice" in params)]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        footer = _footer(steps[0])
        what = f"invoice {precondition['invoice']}" if _is_invoice(steps[0]) else "all future invoices"
        undo = "the footer is cleared, if it is still this one" if footer else "not offered: plan a new note"
        return [(f"footer of {what}", precondition.get("footer") or "", footer), ("undo", "", undo)]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        implied = {"is_deleted": False, "footer": None, "has_room_for_metadata": True}
        return implied | ({"invoice_status": "draft"} if _is_invoice(request) else {}) | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """A GET of the customer, and of the invoice when it is about one."""
        if _is_invoice(request):
            return shown(expected, invoice_facts(reader, expected["invoice"]))
        return shown(expected, customer_facts(reader, expected["customer"]))

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The customer or invoice, when it carries the tags and the note."""
        found = reader.read(request.path)
        if found is None or found.get("deleted") or not carries(found, request):
            return None
        footer = found["footer"] if _is_invoice(request) else found["invoice_settings"]["footer"]
        return found if (footer or "") == _footer(request) else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        footer = _footer(steps[0])
        if not footer or 0 not in made:
            return None
        return [_note(precondition, "", _is_invoice(steps[0]))], precondition | {"footer": footer}


def _note(held: Facts, footer: str, is_invoice: bool) -> Request:
    if is_invoice:
        sent: Facts = {"footer": footer, "metadata": {}}
        return Request("invoice_note", "post", f"/v1/invoices/{held['invoice']}", sent, "InvoiceUpdateParams")
    sent = {"invoice_settings": {"footer": footer}, "metadata": {}}
    return Request("invoice_note", "post", f"/v1/customers/{held['customer']}", sent, "CustomerUpdateParams")


def _is_invoice(request: Request) -> bool:
    return "footer" in request.params


def _footer(request: Request) -> str:
    return str(request.params["footer"] if _is_invoice(request) else request.params["invoice_settings"]["footer"])
