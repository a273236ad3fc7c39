"""Credit on a customer's balance: POST /v1/customers/{customer}/balance_transactions, a negative amount."""

from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.reads import customer_facts, require_amount, require_same, require_text, shown
from actions.port import StripeReader
from actions.state import Request
from actions.text import money

_KEYS = {"amount", "currency", "customer", "description"}
UNDO = "Undo of a credit"


class CustomerCredit:
    """The credit lowers the customer's next finalised invoice; undone by an equal and opposite transaction."""

    name = "customer_credit"
    kinds: tuple[str, ...] = ("courtesy_credit",)

    def accepts(self, params: Facts) -> bool:
        return set(params) == _KEYS

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: amount (negative minor units), currency, customer, description. Raises BadRecommendation."""
        require(set(params) == _KEYS, f"a {kind} with the params of a credit")
        require(type(params["amount"]) is int and params["amount"] < 0, "a negative whole amount")
        require_amount(-params["amount"], amount_minor)
        require_same(params, precondition, "currency", "customer")
        require_text(params["description"], "description")
        return [_transaction(params["customer"], params["amount"], params["currency"], params["description"])]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        sent = steps[0].params
        if sent["amount"] > 0:
            return [("credit on the balance", money(sent["amount"], sent["currency"]), "taken back"),
                    ("undo", "", "not offered: plan a new credit")]  # fmt: skip
        return [("credit on the balance", "", f"{money(-sent['amount'], sent['currency'])} for the next invoice"),
                ("undo", "", "an opposite transaction, while that much credit is left")]  # fmt: skip

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return {"is_deleted": False} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """One GET of the customer. A customer that never paid has no currency yet, so that one is refused."""
        facts = customer_facts(reader, expected["customer"])
        # Taking back more than is left would put the customer into debt.
        facts["is_credit_left"] = facts.get("balance", 0) <= -request.params["amount"]
        return shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """Looks through the customer's balance transactions, newest first. `since` is left alone: the balance of a
        customer on a test clock is dated by that clock.
        """
        return next((found for found in reader.list(request.path) if carries(found, request)), None)

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        """The opposite transaction; none for what is itself an undo, or was not found to be done."""
        sent = steps[0].params
        if sent["amount"] > 0 or 0 not in made:
            return None
        held = {key: precondition[key] for key in ("customer", "currency", "livemode")} | {"is_credit_left": True}
        return [_transaction(held["customer"], -sent["amount"], sent["currency"], UNDO)], held


def _transaction(customer: str, amount: int, currency: str, description: str) -> Request:
    sent: Facts = {"amount": amount, "currency": currency, "description": description, "metadata": {}}
    path = f"/v1/customers/{customer}/balance_transactions"
    return Request("customer_credit", "post", path, sent, "CustomerBalanceTransactionCreateParams")
