"""Which executor carries out which kind of recommendation."""

from actions.errors import BadRecommendation
from actions.executors.base import Executor
from actions.executors.customer_credit import CustomerCredit
from actions.executors.subscription_change import SubscriptionChange

EXECUTORS: tuple[Executor, ...] = (CustomerCredit(), SubscriptionChange())


def for_kind(kind: str) -> Executor:
    """Raises BadRecommendation for a kind that nothing here can carry out."""
    for executor in EXECUTORS:
        if kind in executor.kinds:
            return executor
    raise BadRecommendation(f"no executor carries out a {kind}; this runner is older than the recommendation")


def by_name(name: str) -> Executor:
    """The executor that a stored step names. Raises BadRecommendation."""
    for executor in EXECUTORS:
        if executor.name == name:
            return executor
    raise BadRecommendation(f"the step names executor {name}, which this runner does not have; use a newer one")
