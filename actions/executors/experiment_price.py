"""A price for an experiment: always a new one, POST /v1/prices; a price that is there is never edited."""

from actions.executors import swaps
from actions.executors.base import Facts, Row, Undo, carries, require
from actions.port import StripeReader
from actions.state import Request

ROOT = "/v1/prices"
MAKE, ARCHIVE = "PriceCreateParams", "PriceUpdateParams"
_NEEDED = {"currency", "product", "recurring", "metadata"}
_MORE = {"unit_amount", "unit_amount_decimal", "billing_scheme", "tiers", "tiers_mode", "transform_quantity",
         "tax_behavior", "nickname"}  # fmt: skip


class ExperimentPrice:
    """Nobody pays it until a subscription is moved to it; undone by archiving it, which moves nobody away."""

    name = "experiment_price"
    kinds: tuple[str, ...] = ("experiment_price",)

    def accepts(self, params: Facts) -> bool:
        return _NEEDED <= set(params) <= _NEEDED | _MORE

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: those of a price; never a lookup_key, which would take it from another. Raises BadRecommendation."""
        for key in ("currency", "product"):
            require(params[key] == precondition.get(key), f"the {key} of the precondition ({precondition.get(key)})")
        amounts = {"unit_amount", "unit_amount_decimal", "tiers"} & set(params)
        require(len(amounts) == 1, "one of unit_amount, unit_amount_decimal, tiers")
        amount = str(params[amounts.pop()])
        require(amount.strip("0.") != "" and amount[0] != "-", f"an amount above 0, not {amount:.40}")
        swaps.require_metadata(params["metadata"])
        return [Request(self.name, "post", ROOT, dict(params), MAKE)]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        if steps[0].shape == ARCHIVE:
            return [("price", f"{precondition['price']} active", "archived; subscriptions that have it keep it")]
        sent = steps[0].params
        rows = [(key, "", str(sent[key])) for key in sorted(set(sent) - {"metadata"})]
        rows += swaps.metadata_rows({}, sent["metadata"])
        return [*rows, ("undo", "", "archives the price; subscriptions that have it by then keep it")]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: the product and the meter are in use, and the experiment has no such price yet."""
        if request.shape == ARCHIVE:
            return precondition
        return {"product_is_active": True, "meter_is_active": True, "same_in_experiment": []} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        product = reader.read(f"/v1/products/{expected['product']}") or {"active": False}
        facts: Facts = {"product": product.get("id"), "product_is_active": product["active"]}
        facts |= {"livemode": product.get("livemode"), "currency": expected["currency"]}
        if "price" in expected:
            price = reader.read(f"{ROOT}/{expected['price']}") or {}
            facts |= {"price": price.get("id"), "price_is_active": price.get("active")}
        else:
            meter = request.params["recurring"].get("meter")
            found = reader.read(f"/v1/billing/meters/{meter}") if meter else {"status": "active"}
            facts["meter_is_active"] = found is not None and found["status"] == "active"
            wanted = swaps.own(request.params["metadata"]).items()
            prices = reader.list(ROOT, {"product": expected["product"], "active": True})
            facts["same_in_experiment"] = sorted(one["id"] for one in prices if wanted <= one["metadata"].items())
        return {key: facts.get(key) for key in expected}

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """Among the product's prices by the tags; archived: by its state, as the tags are those of its making."""
        if request.shape == ARCHIVE:
            found = reader.read(request.path)
            return found if found is not None and not found["active"] else None
        asked: Facts = {"product": request.params["product"]} | ({"created": {"gte": since}} if since else {})
        return next((found for found in reader.list(ROOT, asked) if carries(found, request)), None)

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        if 0 not in made or steps[0].shape == ARCHIVE:
            return None
        now = precondition | {"price": made[0], "price_is_active": True}
        return [Request(self.name, "post", f"{ROOT}/{made[0]}", {"active": False}, ARCHIVE)], now
