"""What an executor is: the knowledge of one kind of change in one outside system, and nothing else.

An executor must
- build the same request from the same recommendation, every time, and refuse one that is not of its shape;
- read from Stripe the facts that the precondition speaks of, in the precondition's own words;
- find its effect again by the tags in `metadata`, with list calls only (search lags behind writes).
It must not send anything, touch the ledger, wait, retry, read a clock or settings, or decide whether to go on:
that is apply.py's work, the same for all. At most 80 lines.
"""

from typing import Any, Protocol

from actions.errors import BadRecommendation
from actions.port import StripeReader
from actions.state import Request

Facts = dict[str, Any]
METADATA_KEYS = 50  # Stripe's limit
TAGS = ("meterwise_action", "meterwise_step", "meterwise_plan", "meterwise_v")


class Executor(Protocol):
    """One outside change."""

    name: str
    kinds: tuple[str, ...]

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> Request:
        """The call, not yet tagged. Raises BadRecommendation naming what is wrong."""

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """The precondition with what it takes for granted spelled out."""

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """The same keys as `expected`, as Stripe has them now. Raises StripeUnusable."""

    def find(self, reader: StripeReader, request: Request) -> Facts | None:
        """The Stripe object that carries the tags of `request`, None when there is none. Raises StripeUnusable."""


def require(is_met: bool, what: str) -> None:
    """Raises BadRecommendation saying `what` was expected."""
    if not is_met:
        raise BadRecommendation(
            f"expected {what}; the published recommendation breaks its contract, run `make run` again"
        )


def carries(found: Facts, request: Request) -> bool:
    """Whether an object's metadata holds the action and step tags of `request`."""
    tags, metadata = request.params["metadata"], found.get("metadata") or {}
    return all(metadata.get(tag) == tags[tag] for tag in TAGS[:2])


def has_room(found: Facts) -> bool:
    """Whether our tags fit into an object's metadata, beside what others keep there."""
    return len(set(found.get("metadata") or {}) | set(TAGS)) <= METADATA_KEYS


def difference(expected: Facts, live: Facts) -> dict[str, dict[str, Any]]:
    """Field by field where the two differ: {field: {"planned": ..., "live": ...}}; empty when they agree."""
    keys = sorted(set(expected) | set(live))
    return {
        key: {"planned": expected.get(key), "live": live.get(key)} for key in keys if expected.get(key) != live.get(key)
    }
