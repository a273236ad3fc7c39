"""A change of a subscription now: POST /v1/subscriptions/{subscription}; other prices, a coupon, an experiment."""

from actions.executors import fits, swaps
from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.previews import PRORATIONS, next_invoice
from actions.executors.subscriptions import CHANGEABLE, IMPLIED, coupons, facts_of
from actions.port import StripeReader
from actions.state import Request

SHAPE = "SubscriptionUpdateParams"
_SWAP = {"items", "proration_behavior"}
_SENT = {"tier_upgrade": _SWAP, "right_size_downgrade": _SWAP, "price_test_assignment": _SWAP | {"metadata"},
         "retention_offer": {"discounts"}}  # fmt: skip


class SubscriptionChange:
    """Undone by the previous items, prorated in the same way, or the previous coupons; what was invoiced stays so."""

    name = "subscription_change"
    kinds: tuple[str, ...] = tuple(_SENT)

    def accepts(self, params: Facts) -> bool:
        return set(params) - {"subscription"} in _SENT.values()

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: subscription, and items + proration_behavior (+ metadata) or discounts. Raises BadRecommendation."""
        require(set(params) == _SENT[kind] | {"subscription"}, f"the params {sorted(_SENT[kind])} of a {kind}")
        require(params["subscription"] == precondition.get("subscription"), "the subscription of the precondition")
        sent = {"metadata": {}} | {key: params[key] for key in sorted(_SENT[kind])}
        if "discounts" in sent:
            is_one = [set(one) for one in params["discounts"]] == [{"coupon"}]
            require(is_one and fits.is_id(*coupons(sent)), "one coupon")
        else:
            sent["items"] = swaps.with_quantities(params["items"], precondition["items"])
            require(sent["proration_behavior"] in PRORATIONS, f"a proration_behavior of {', '.join(PRORATIONS)}")
        if "metadata" in params:
            swaps.require_metadata(params["metadata"])
        return [Request(self.name, "post", f"/v1/subscriptions/{params['subscription']}", sent, SHAPE)]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        sent, facts = steps[0].params, self.expected(steps[0], precondition)
        rows = swaps.rows_of(facts["items"], sent.get("items", []))
        if "discounts" in sent:
            rows.append(("coupons", ", ".join(facts["coupons"]) or "none", ", ".join(coupons(sent)) or "none"))
        rows += swaps.metadata_rows(facts.get("metadata", {}), sent.get("metadata", {}))
        rows += [("proration", "", PRORATIONS[sent[key]]) for key in ("proration_behavior",) if key in sent]
        undo = "what was before, prorated in the same way, if nothing else changed; what is invoiced stays invoiced"
        return [*rows, ("undo", "", undo)]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: the customer exists, no schedule owns the subscription (it would undo the change), what it gets can be
        had, the tags fit, and nothing unspoken of is replaced: no coupon (the customer's own would be), no metadata.
        """
        implied = IMPLIED | {"coupons": [], "customer_coupons": [], "unfit_coupons": []}
        if "items" in request.params:
            implied = IMPLIED | CHANGEABLE | {"unfit_prices": []}
        if metadata := swaps.own(request.params.get("metadata", {})):
            implied["metadata"] = dict.fromkeys(metadata)
        return implied | precondition | {"items": swaps.by_id(precondition.get("items", []))}

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        return facts_of(reader, request.path.rpartition("/")[2], expected, request.params)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        details = {key: request.params[key] for key in ("items", "proration_behavior") if key in request.params}
        changed = {"subscription_details": details} if details else {"discounts": request.params["discounts"]}
        return next_invoice(reader, request.path.rpartition("/")[2], changed)

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The subscription, if it carries the tags: apply.py starts nothing that would overwrite them meanwhile."""
        found = reader.read(request.path)
        return found if found is not None and carries(found, request) else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        sent, was = steps[0].params, self.expected(steps[0], precondition)
        undo, now = swaps.reverse(was, sent)
        if "discounts" in sent:
            undo["discounts"] = [{"coupon": one} for one in was["coupons"]] or ""
            now["coupons"] = coupons(sent)
        return [Request(self.name, "post", steps[0].path, undo, SHAPE)], now
