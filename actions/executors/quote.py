"""A quote for a new subscription: drafted, then finalised so that the customer may accept it (stripe.md 4.3)."""

from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.fits import is_id, unfit_prices
from actions.executors.previews import preview
from actions.executors.reads import customer_facts, shown
from actions.executors.swaps import words
from actions.port import StripeReader
from actions.state import Request
from actions.text import moment

ROOT = "/v1/quotes"
ENDED = {"canceled", "incomplete_expired"}
CREATE, FINALIZE, CANCEL = "QuoteCreateParams", "QuoteFinalizeQuoteParams", "QuoteCancelParams"


class Quote:
    """Accepting it is the customer's act, never ours; undone by cancelling it before that."""

    name = "quote"
    kinds: tuple[str, ...] = ("upgrade_quote",)

    def accepts(self, params: Facts) -> bool:
        return {"customer", "line_items"} <= set(params) <= {"customer", "line_items", "expires_at"}

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: customer, line_items (price, quantity), expires_at (optional). Raises BadRecommendation."""
        require(params["customer"] == precondition.get("customer"), "the customer of the precondition")
        is_priced = [is_id(row.get("price")) and set(row) <= {"price", "quantity"} for row in params["line_items"]]
        require(all(is_priced) and bool(is_priced), "line_items of a price and a quantity")
        finalize = Request(self.name, "post", f"{ROOT}/{{0}}/finalize", {}, FINALIZE)
        return [Request(self.name, "post", ROOT, {"metadata": {}} | params, CREATE), finalize]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        if steps[0].shape == CANCEL:
            return [("quote", f"{precondition['quote']} {precondition['quote_status']}", "canceled")]
        sent = steps[0].params
        rows = [("line of the quote", "", words(row)) for row in sent["line_items"]]
        until = f"until {moment(sent['expires_at'])}" if "expires_at" in sent else "as long as the account says"
        undo = "cancels the quote, until the customer has accepted it"
        rows.append(("once accepted", "", "a new subscription beside those there are: none of them ends by it"))
        return [*rows, ("quote", "", f"open {until}, to be accepted by the customer"), ("undo", "", undo)]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: the customer exists, has no other quote to choose from, and may have the prices. Whether it has a
        subscription counts only for a precondition that speaks of `other_subscriptions`.
        """
        if request.shape == CANCEL:
            return {"is_deleted": False} | precondition
        return {"is_deleted": False, "other_quotes": [], "unfit_prices": []} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """GETs of the customer, its quotes and subscriptions, and of each price."""
        facts = customer_facts(reader, expected["customer"])
        if "quote" in expected:
            quote = reader.read(f"{ROOT}/{expected['quote']}") or {}
            facts |= {"quote": quote.get("id"), "quote_status": quote.get("status")}
        elif not facts["is_deleted"]:
            quotes = reader.list(ROOT, {"customer": expected["customer"]})
            facts["other_quotes"] = sorted(one["id"] for one in quotes if one["status"] in ("draft", "open"))
            facts["unfit_prices"] = unfit_prices(reader, {row["price"] for row in request.params["line_items"]}, facts)
            if "other_subscriptions" in expected:
                held = reader.list("/v1/subscriptions", {"customer": expected["customer"]})
                facts["other_subscriptions"] = sorted(one["id"] for one in held if one["status"] not in ENDED)
        return shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        """The first invoice of the subscription that acceptance would begin."""
        if request.shape == CANCEL:
            return None
        details = {"items": request.params["line_items"]}
        found = preview(reader, {"customer": request.params["customer"], "subscription_details": details})
        return found and {"total": found["total"], "currency": found["currency"]}

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """Among the customer's quotes by the tags; afterwards by what became of it."""
        if request.shape == CREATE:
            quotes = reader.list(ROOT, {"customer": request.params["customer"]})
            return next((found for found in quotes if carries(found, request)), None)
        found, at = reader.read(request.path.rpartition("/")[0]), {FINALIZE: "finalized_at", CANCEL: "canceled_at"}
        return found if found is not None and found["status_transitions"][at[request.shape]] is not None else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        if 0 not in made or steps[0].shape == CANCEL:
            return None
        held = {key: precondition[key] for key in precondition if key != "other_subscriptions"}
        now = held | {"quote": made[0], "quote_status": "open" if 1 in made else "draft"}
        return [Request(self.name, "post", f"{ROOT}/{made[0]}/cancel", {}, CANCEL)], now
