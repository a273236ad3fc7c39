"""Which executor carries out which recommendation."""

from actions.errors import BadRecommendation
from actions.executors.base import Executor, Facts
from actions.executors.billing_alert import BillingAlert
from actions.executors.credit_grant import CreditGrant
from actions.executors.credit_note import CreditNote
from actions.executors.customer_credit import CustomerCredit
from actions.executors.decision import Decision
from actions.executors.experiment_price import ExperimentPrice
from actions.executors.invoice_note import InvoiceNote
from actions.executors.metadata import Metadata
from actions.executors.quote import Quote
from actions.executors.retry_payment import RetryPayment
from actions.executors.schedule_change import ScheduleChange
from actions.executors.subscription_change import SubscriptionChange

EXECUTORS: tuple[Executor, ...] = (
    CustomerCredit(), CreditNote(), CreditGrant(), BillingAlert(), RetryPayment(), InvoiceNote(), Decision(),
    SubscriptionChange(), ScheduleChange(), Quote(), ExperimentPrice(), Metadata(),
)  # fmt: skip
KINDS = frozenset(kind for executor in EXECUTORS for kind in executor.kinds)


def for_kind(kind: str, params: Facts) -> Executor:
    """The one whose kinds and parameters these are. Raises BadRecommendation."""
    serving = [executor for executor in EXECUTORS if kind in executor.kinds]
    if not serving:
        raise BadRecommendation(f"no executor carries out a {kind}; this runner is older than the recommendation")
    for executor in serving:
        if executor.accepts(params):
            return executor
    raise BadRecommendation(
        f"a {kind} with the params {', '.join(sorted(params))} is none that {' or '.join(one.name for one in serving)} "
        "carries out; the published recommendation breaks its contract, run `make run` again"
    )


def by_name(name: str) -> Executor:
    """The executor that a stored step names. Raises BadRecommendation."""
    for executor in EXECUTORS:
        if executor.name == name:
            return executor
    raise BadRecommendation(f"the step names executor {name}, which this runner does not have; use a newer one")
