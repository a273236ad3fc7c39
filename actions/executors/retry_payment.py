"""One more try to collect an open invoice: POST /v1/invoices/{invoice}/pay with the customer's own method."""

from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.reads import invoice_facts, require_amount, require_same, shown
from actions.port import StripeReader
from actions.state import Request
from actions.text import money

APART_S = 3600  # an automatic attempt that is due sooner goes first


class RetryPayment:
    """Step 0 tags the invoice, step 1 pays it. A declined card ends as failed. There is no undo."""

    name = "retry_payment"
    kinds: tuple[str, ...] = ("retry_payment",)
    rechecks = True  # step 0 changes none of the facts, so they must still hold before step 1

    def accepts(self, params: Facts) -> bool:
        return set(params) == {"invoice"}

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: invoice. The precondition has what is left to pay (the exposure), the attempts made (1 or more:
        the first is Stripe's), and when Stripe tries next, null for never. Raises BadRecommendation.
        """
        require(self.accepts(params), f"a {kind} with nothing but an invoice")
        require_same(params, precondition, "invoice")
        require(precondition.get("invoice_status") == "open", "an open invoice")
        require_amount(precondition.get("amount_remaining"), amount_minor)
        count = precondition.get("attempt_count")
        require(type(count) is int and count > 0, f"an attempt_count above 0, not {count!r}")
        require("next_payment_attempt" in precondition, "a next_payment_attempt in the precondition")
        path = f"/v1/invoices/{params['invoice']}"
        return [Request(self.name, "post", path, {"metadata": {}}, "InvoiceUpdateParams"),
                Request(self.name, "post", f"{path}/pay", {"off_session": True}, "InvoicePayParams")]  # fmt: skip

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        amount = money(precondition["amount_remaining"], precondition["currency"])
        tried = f"open, {amount} to pay, tries so far: {precondition['attempt_count']}"
        return [(f"invoice {precondition['invoice']}", tried, f"the customer's payment method is charged {amount}"),
                ("undo", "", "not possible: a payment is only given back by a refund")]  # fmt: skip

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: Stripe collects this invoice itself, and is not about to; our tags fit into its metadata."""
        implied: Facts = {"is_deleted": False, "is_attempt_due": False, "has_room_for_metadata": True}
        implied |= {"collection_method": "charge_automatically", "customer_currency": precondition["currency"]}
        return implied | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """GETs of invoice and customer, held against the time of Stripe's answer."""
        facts = invoice_facts(reader, expected["invoice"])
        due_at, now = facts.get("next_payment_attempt"), reader.server_now
        facts["is_attempt_due"] = due_at is not None and (now is None or due_at - now.timestamp() <= APART_S)
        return shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """Step 0: the tagged invoice. Step 1: the invoice, once it is paid, by whichever attempt: the aim is reached
        and nothing is left to charge.
        """
        found = reader.read(request.path.removesuffix("/pay"))
        if found is None:
            return None
        is_done = found["status"] == "paid" if request.path.endswith("/pay") else carries(found, request)
        return found if is_done else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        return None
