"""Metadata of a customer or a subscription: POST to the object; keys are merged into what is there, never replaced."""

from actions.executors import swaps
from actions.executors.base import Facts, Row, Undo, carries, has_room, require
from actions.port import StripeReader
from actions.state import Request

_ROOTS = {"customer": "/v1/customers", "subscription": "/v1/subscriptions"}
_SHAPES = {"customer": "CustomerUpdateParams", "subscription": "SubscriptionUpdateParams"}


class Metadata:
    """Undone by the previous values; the runner's own tags stay."""

    name = "metadata"
    kinds: tuple[str, ...] = ("metadata_change",)

    def accepts(self, params: Facts) -> bool:
        return any(set(params) == {target, "metadata"} for target in _ROOTS)

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: customer or subscription, and metadata; an empty text takes a key away. Raises BadRecommendation."""
        (target,) = set(params) - {"metadata"}
        require(params[target] == precondition.get(target), f"the {target} of the precondition")
        require(amount_minor == 0, "an exposure of 0, as no money moves")
        swaps.require_metadata(params["metadata"])
        path = f"{_ROOTS[target]}/{params[target]}"
        return [Request(self.name, "post", path, {"metadata": params["metadata"]}, _SHAPES[target])]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        before = self.expected(steps[0], precondition)["metadata"]
        return [*swaps.metadata_rows(before, steps[0].params["metadata"]), ("undo", "", "the previous values")]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: the object is there, the tags and the new keys fit, and a key that nobody spoke of is not there."""
        before = dict.fromkeys(swaps.own(request.params["metadata"])) | precondition.get("metadata", {})
        return {"is_deleted": False, "has_room_for_metadata": True} | precondition | {"metadata": before}

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """One GET, a second one of a subscription's customer."""
        found = reader.read(request.path)
        owner = found and (reader.read(f"/v1/customers/{found['customer']}") if "customer" in found else found)
        if found is None or owner is None or owner.get("deleted"):
            return expected | {"is_deleted": True}
        facts = {key: found.get(key) for key in ("currency", "livemode")} | {found["object"]: found.get("id")}
        facts |= {
            "is_deleted": False,
            "customer": owner.get("id"),
            "subscription_status": found.get("status"),
            "has_room_for_metadata": has_room(found, request.params["metadata"]),
            "metadata": {key: (found.get("metadata") or {}).get(key) for key in expected["metadata"]},
        }
        return {key: facts.get(key) for key in expected}

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The object, if it carries the tags: apply.py starts nothing that would overwrite them meanwhile."""
        found = reader.read(request.path)
        return found if found is not None and carries(found, request) else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        undo, now = swaps.reverse(self.expected(steps[0], precondition), steps[0].params)
        return [Request(self.name, "post", steps[0].path, undo, steps[0].shape)], now
