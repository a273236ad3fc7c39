"""Credit on a customer's balance: POST /v1/customers/{customer}/balance_transactions, a negative amount."""

from typing import Any

from actions.executors.base import Facts, carries, require
from actions.port import StripeReader
from actions.state import Request


class CustomerCredit:
    """The credit lowers the customer's next finalised invoice; undone by an equal and opposite transaction."""

    name = "customer_credit"
    kinds: tuple[str, ...] = ("courtesy_credit",)

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> Request:
        """params: amount (negative minor units), currency, customer, description. Raises BadRecommendation."""
        require(
            set(params) == {"amount", "currency", "customer", "description"}, f"a {kind} with the params of a credit"
        )
        require(type(params["amount"]) is int and params["amount"] < 0, "a negative whole amount")
        require(params["amount"] == -amount_minor, f"an amount of -{amount_minor}, the exposure that is approved")
        for key in ("currency", "customer"):
            require(params[key] == precondition.get(key), f"the {key} of the precondition ({precondition.get(key)})")
        sent: dict[str, Any] = {key: params[key] for key in ("amount", "currency", "description")}
        return Request(self.name, "post", f"/v1/customers/{params['customer']}/balance_transactions", sent)

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return {"is_deleted": False} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """One GET of the customer. A customer that never paid has no currency yet, so that one is refused."""
        found = reader.read(f"/v1/customers/{expected['customer']}")
        if found is None or found.get("deleted"):
            return expected | {"is_deleted": True}
        facts = {
            "is_deleted": False,
            "customer": found["id"],
            "currency": found.get("currency"),
            "livemode": found["livemode"],
        }
        return {key: facts.get(key) for key in expected}

    def find(self, reader: StripeReader, request: Request) -> Facts | None:
        """Looks through the customer's balance transactions, newest first."""
        return next((found for found in reader.list(request.path) if carries(found, request)), None)
