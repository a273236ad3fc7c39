"""What an executor is: the knowledge of one kind of change in one outside system, and nothing else.

It builds the same requests from the same recommendation every time, reads the facts of a precondition in its own
words, and finds its effect again by the tags in `metadata`, with list calls only (search lags behind writes). It must
not send, touch the ledger, wait, retry, read a clock or settings, or decide whether to go on: that is apply.py's work,
the same for all. At most 80 lines.
"""

from typing import Any, Protocol

from actions.errors import BadRecommendation
from actions.port import StripeReader
from actions.state import Request

Facts = dict[str, Any]
Row = tuple[str, str, str]  # what, before, after
Undo = tuple[list[Request], Facts]  # the steps, and the precondition they rest on
METADATA_KEYS = 50  # Stripe's limit
TAGS = ("meterwise_action", "meterwise_step", "meterwise_plan", "meterwise_v")


class Executor(Protocol):
    """One outside change, in one or more steps. `request` is the first step, unless said otherwise."""

    name: str
    kinds: tuple[str, ...]

    def accepts(self, params: Facts) -> bool:
        """Whether `params` have this executor's keys: several may serve one kind."""

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """The calls, not yet tagged: `metadata` in their params asks for the tags, "{0}" for the object that step 0
        made. Raises BadRecommendation naming what is wrong.
        """

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        """What a person decides on: what changes, from what to what; the last row says what undoing means."""

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """The precondition with what it takes for granted spelled out."""

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """The same keys as `expected`, as Stripe has them now. Raises StripeUnusable."""

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        """What Stripe says it would come to (minor units and their currency); None where Stripe offers none."""

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The Stripe object that shows the effect of `request` (any step, references resolved); None without one.

        since: unix seconds by Stripe's clock before which it was not sent; 0 when unknown. Raises StripeUnusable.
        """

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        """The steps that undo all of `steps`, with what they rest on. made: step → id of the object it made."""


def require(is_met: bool, what: str) -> None:
    """Raises BadRecommendation saying `what` was expected."""
    if not is_met:
        raise BadRecommendation(f"expected {what}; the recommendation breaks its contract, run `make run` again")


def carries(found: Facts, request: Request) -> bool:
    """Whether an object's metadata holds the action and step tags of `request`."""
    tags, metadata = request.params["metadata"], found.get("metadata") or {}
    return all(metadata.get(tag) == tags[tag] for tag in TAGS[:2])


def has_room(found: Facts, sent: Facts | None = None) -> bool:
    """Whether our tags and `sent` fit beside what others keep in an object's metadata; an empty text frees a key."""
    kept = {**(found.get("metadata") or {}), **(sent or {}), **dict.fromkeys(TAGS, "ours")}
    return sum(bool(value) for value in kept.values()) <= METADATA_KEYS


def difference(expected: Facts, live: Facts) -> dict[str, dict[str, Any]]:
    """Field by field where the two differ: {field: {"planned": ..., "live": ...}}; empty when they agree."""
    keys = [key for key in sorted(set(expected) | set(live)) if expected.get(key) != live.get(key)]
    return {key: {"planned": expected.get(key), "live": live.get(key)} for key in keys}
