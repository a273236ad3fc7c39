"""Where billing meets the people billed: the seeded company implements it, an account without one has nobody."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.store import Store

Obj = dict[str, Any]


class World:
    """What customers do by themselves: here nothing, and payment methods decide about payments."""

    def pays(self, store: "Store", invoice: Obj, attempt: int) -> str | None:
        """`succeeds`, a decline code such as `insufficient_funds`, or None for a customer that is not the world's."""
        return None

    def use(self, store: "Store", customer: str, until: int) -> None:
        """Record the customer's usage up to `until`, exclusive; billing asks before it meters a period."""

    def changed(self, store: "Store", sub: Obj, before: list[Obj]) -> None:
        """A subscription's items changed; `before` are its old ones."""

    def treated(self, store: "Store", customer: str, kind: str, amount: int) -> None:
        """The customer was given a `credit` (amount in minor units, positive) or an `offer` (a discount)."""

    def ended(self, store: "Store", sub: Obj) -> None:
        """A subscription ended."""

    def advanced(self, store: "Store") -> None:
        """The account's clock has come to rest at `store.now`: usage is recorded up to there."""
