"""Items that take other prices, and metadata that is merged: what executors plan, describe and undo alike."""

from typing import Any

from actions.executors import fits
from actions.executors.base import TAGS, Facts, Row, require

Items = list[dict[str, Any]]


def by_id(items: Items) -> Items:
    return sorted(items, key=lambda item: str(item["id"]))


def with_quantities(items: Items, held: Items) -> Items:
    """Changing a price resets the quantity to 1 unless it is sent, so the licensed ones keep theirs.
    Raises BadRecommendation for an item that is not among `held`, or is there twice.
    """
    quantities = {item["id"]: item["quantity"] for item in held}
    for item in items:
        is_whole = fits.is_id(item.get("price")) and item.get("quantity", 1) is not None
        require(is_whole and set(item) <= {"id", "price", "quantity"}, "items of an id and a price")
        require(item["id"] in quantities, f"an item of the precondition, not {item['id']} (it would be added)")
    require(len({item["id"] for item in items}) == len(items) > 0, "one item or more, each once")
    return [item if (kept := quantities[item["id"]]) is None else {"quantity": kept} | item for item in items]


def swapped(held: Items, sent: Items) -> Items:
    """The items of a precondition after those of `sent` took their place."""
    new = {item["id"]: item for item in sent}
    return [item | {key: new.get(item["id"], item).get(key) for key in ("price", "quantity")} for item in held]


def reverse(was: Facts, sent: Facts) -> tuple[Facts, Facts]:
    """What to send so that the items and metadata of `sent` are again as `was` has them, and the facts until then."""
    undo, now = Facts(metadata=restoring(was.get("metadata", {}))), Facts(was)
    if "items" in sent:
        old = [{"id": item["id"], "price": _of(was["items"], item)["price"]} for item in sent["items"]]
        undo |= {"items": with_quantities(old, was["items"]), "proration_behavior": sent["proration_behavior"]}
        now["items"] = swapped(was["items"], sent["items"])
    if "metadata" in was:
        now["metadata"] = {key: value or None for key, value in own(sent["metadata"]).items()}
    return undo, now


def of_a_phase(items: Items) -> Items:
    return [{key: item[key] for key in ("price", "quantity") if item[key] is not None} for item in items]


def rows_of(held: Items, sent: Items) -> list[Row]:
    return [(f"item {item['id']}", words(_of(held, item)), words(item)) for item in sent]


def own(metadata: Facts) -> Facts:
    """Metadata without the runner's tags."""
    return {key: value for key, value in metadata.items() if key not in TAGS}


def restoring(before: Facts) -> Facts:
    """What to send so that these keys have these values again; an empty text takes a key away."""
    return {key: value or "" for key, value in before.items()}


def metadata_rows(before: Facts, sent: Facts) -> list[Row]:
    return [(f"metadata {key}", before.get(key) or "", value) for key, value in own(sent).items()]


def require_metadata(metadata: Any) -> None:
    """Raises BadRecommendation unless it is texts under names that are not the runner's."""
    is_texts = isinstance(metadata, dict) and all(isinstance(one, str) for one in metadata.values())
    require(is_texts and bool(metadata) and not set("".join(metadata.values())) & set("{}"), "metadata without braces")
    require(not any(key.startswith("meterwise_") for key in metadata), "metadata without the runner's own keys")


def _of(held: Items, item: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in held if one["id"] == item["id"])


def words(item: dict[str, Any]) -> str:
    return item["price"] if item.get("quantity") is None else f"{item['price']} × {item['quantity']}"
