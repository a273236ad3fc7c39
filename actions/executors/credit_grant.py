"""Billing credit: POST /v1/billing/credit_grants, money that pays for usage of metered prices before it is billed."""

from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.reads import customer_facts, ended, is_ending, require_amount, require_same, require_text, shown
from actions.port import StripeReader
from actions.state import Request
from actions.text import moment, money

PATH = "/v1/billing/credit_grants"
_NEEDED = {"amount", "applicability_config", "customer"}
_KEYS = _NEEDED | {"expires_at", "name", "priority"}


class CreditGrant:
    """Undone by voiding the grant, as long as none of it was used."""

    name = "credit_grant"
    kinds: tuple[str, ...] = ("courtesy_credit",)

    def accepts(self, params: Facts) -> bool:
        return set(params) >= _NEEDED and set(params) <= _KEYS

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: customer, amount and applicability_config as Stripe has them; expires_at, name, priority.
        Raises BadRecommendation.
        """
        require(self.accepts(params), f"a {kind} with the params of a credit grant")
        require_same(params, precondition, "customer")
        monetary = params["amount"].get("monetary", {})
        require(params["amount"] == {"type": "monetary", "monetary": monetary}, "an amount of type monetary")
        require_same(monetary, precondition, "currency")
        require_amount(monetary.get("value"), amount_minor)
        if "name" in params:
            require_text(params["name"], "name")
        sent = params | {"category": "promotional", "metadata": {}}  # nobody paid for it
        return [Request(self.name, "post", PATH, sent, "billing.CreditGrantCreateParams")]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        if is_ending(steps[0]):
            amount = money(precondition["left"], precondition["currency"])
            return [("billing credit", amount, "void"), ("undo", "", "not possible")]
        sent, scope = steps[0].params, steps[0].params["applicability_config"].get("scope", {})
        amount, prices = sent["amount"]["monetary"], ", ".join(str(one.get("id")) for one in scope.get("prices", []))
        until = f"until {moment(sent['expires_at'])}" if "expires_at" in sent else "without an end"
        what = f"{money(amount['value'], amount['currency'])} for usage of {prices or 'any metered price'}, {until}"
        return [("billing credit", "", what), ("undo", "", "the grant is voided, while none of it was used")]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return {"is_deleted": False} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """One GET of the customer; to void a grant two more, of the grant and of what is left of it."""
        facts = customer_facts(reader, expected["customer"])
        if is_ending(request) and not facts["is_deleted"]:
            grant = ended(reader, request) or {}
            wanted = {"type": "credit_grant", "credit_grant": grant.get("id")}
            asked = {"customer": expected["customer"], "filter": wanted}
            summary = reader.read("/v1/billing/credit_balance_summary", asked) or {"balances": []}
            left = [one["available_balance"]["monetary"]["value"] for one in summary["balances"]]
            facts |= {"is_void": grant.get("voided_at") is not None, "left": sum(left)}
        return shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The customer's grant with the tags; a voided grant is its own proof."""
        if is_ending(request):
            grant = ended(reader, request)
            return grant if grant and grant["voided_at"] is not None else None
        grants = reader.list(PATH, {"customer": request.params["customer"]})
        return next((found for found in grants if carries(found, request)), None)

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        if is_ending(steps[0]) or 0 not in made:
            return None
        void = Request(self.name, "post", f"{PATH}/{made[0]}/void", {}, "billing.CreditGrantVoidGrantParams")
        held = {key: precondition[key] for key in ("customer", "currency", "livemode")}
        return [void], held | {"is_void": False, "left": steps[0].params["amount"]["monetary"]["value"]}
