"""A change of a subscription now: POST /v1/subscriptions/{subscription}, new prices or a discount."""

from typing import Any

from actions.executors.base import Facts, carries, has_room, require
from actions.port import StripeReader
from actions.state import Request

_SENT = {"tier_upgrade": {"items", "proration_behavior"}, "retention_offer": {"discounts"}}


class SubscriptionChange:
    """Undone by a new plan with the previous items, or without the discount."""

    name = "subscription_change"
    kinds: tuple[str, ...] = tuple(_SENT)

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> Request:
        """params: subscription, and items + proration_behavior or discounts. Raises BadRecommendation."""
        require(set(params) == _SENT[kind] | {"subscription"}, f"the params {sorted(_SENT[kind])} of a {kind}")
        require(params["subscription"] == precondition.get("subscription"), "the subscription of the precondition")
        sent = {key: params[key] for key in sorted(_SENT[kind])}
        if kind == "tier_upgrade":
            sent["items"] = _with_quantities(params["items"], precondition["items"])
        else:
            require(len(params["discounts"]) == 1 and "coupon" in params["discounts"][0], "one coupon")
        return Request(self.name, "post", f"/v1/subscriptions/{params['subscription']}", sent)

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: the customer exists, no schedule owns the subscription (Stripe would let it undo the change), the
        tags fit into its metadata, and a new discount replaces none (`discounts` replaces the whole list).
        """
        implied: Facts = {"is_deleted": False, "has_schedule": False, "has_room_for_metadata": True}
        if "discounts" in request.params:
            implied["discounts"] = []
        return implied | precondition | {"items": _sorted(precondition.get("items", []))}

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """GETs of the subscription, its customer, and its items when they do not fit into it."""
        found = reader.read(request.path)
        if found is None:
            return dict.fromkeys(expected) | {"is_deleted": True}
        customer, items = reader.read(f"/v1/customers/{found['customer']}"), found["items"]["data"]
        if found["items"]["has_more"]:
            items = list(reader.list("/v1/subscription_items", {"subscription": found["id"]}))
        facts: dict[str, Any] = {key: found.get(key) for key in ("customer", "currency", "livemode", "discounts")}
        facts |= {
            "is_deleted": customer is None or bool(customer.get("deleted")),
            "has_schedule": found.get("schedule") is not None,
            "has_room_for_metadata": has_room(found),
            "subscription": found["id"],
            "subscription_status": found["status"],
            "items": _sorted([_item(item) for item in items]),
        }
        return {key: facts.get(key) for key in expected}

    def find(self, reader: StripeReader, request: Request) -> Facts | None:
        """The subscription itself, when it carries the tags. A later action would overwrite them, so apply.py
        starts none for the customer while an earlier one is open.
        """
        found = reader.read(request.path)
        return found if found is not None and carries(found, request) else None


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {"id": item["id"], "price": item["price"]["id"], "quantity": item.get("quantity")}


def _sorted(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: str(item["id"]))


def _with_quantities(items: list[dict[str, Any]], held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changing a price resets the quantity to 1 unless it is sent, so the licensed ones keep theirs."""
    quantities = {item["id"]: item["quantity"] for item in held}
    for item in items:
        require(set(item) <= {"id", "price", "quantity"}, "items of an id and a price")
        require(item["id"] in quantities, f"an item of the precondition, not {item['id']} (it would be added)")
    kept = [{"quantity": quantities[item["id"]]} | item for item in items]
    return [{key: value for key, value in item.items() if value is not None} for item in kept]
