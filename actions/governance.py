"""What holds over all actions together: phases and what they are earned with, caps, the brake on large plans."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median_high

from actions.clock import HOUR_US
from actions.errors import CapReached, NotPromoted, UnusualPlan
from actions.ledger import Ledger
from actions.policy import PHASES, Policy
from actions.state import Action

DAY_US = 24 * HOUR_US
PHASE_CHANGE = "phase_change"
_EARLIER_PLANS = 30  # publications that "as usual" is measured by
_PARTS = Path(__file__).with_name("governance.sql").read_text().split("-- :")[1:]
_SQL = {part.split()[0]: part.split("\n", 1)[1] for part in _PARTS}


@dataclass(frozen=True)
class Agreement:
    """Reviews of a kind since it came to its phase. reviewed: subjects; words: newest one of each person on each;
    agreed: of those. wrong: newest words, since ever, that say so. days: since its first use in this phase.
    """

    reviewed: int
    agreed: int
    words: int
    wrong: int
    days: int


def phase(ledger: Ledger, policy: Policy, kind: str) -> str:
    """`shadow` (nothing is sent), `assisted` (what people approved) or `auto` (also what rules let pass)."""
    if kind == PHASE_CHANGE:
        return "assisted"
    changed = ledger.query(_SQL["phase"], kind)
    return str(changed[0][0]) if changed else policy.phase["live" if ledger.account()[1] else "test"]


def agreement(ledger: Ledger, kind: str) -> Agreement:
    """What people said of this kind's recommendations, and how long it has been used in its phase."""
    [(reviewed, agreed, words, wrong, first_us)] = ledger.query(_SQL["agreement"], kind)
    days = (ledger.clock.now_us() - first_us) // DAY_US if first_us else 0
    return Agreement(reviewed, agreed, words, wrong, days)


def lacking(ledger: Ledger, policy: Policy, kind: str, wanted: str) -> list[str]:
    """What keeps `kind` from the phase `wanted` (assisted or auto), a sentence each; empty when nothing does."""
    now, has, asks = phase(ledger, policy, kind), agreement(ledger, kind), policy.promotion[wanted]
    before = PHASES[PHASES.index(wanted) - 1]
    rules = [rule["then"] for rule in policy.rule if kind in rule["when"]["kinds"]]
    found = [
        (now == before, f"it is in phase {now}, expected {before}"),
        (has.days >= asks["days"], f"{has.days} days of use in {now}, expected {asks['days']}"),
        (has.reviewed >= asks["reviewed"], f"{has.reviewed} reviewed, expected {asks['reviewed']}"),
        (has.agreed >= Decimal(asks["agreement"]) * has.words, f"{has.agreed} of {has.words} verdicts agree, expected "
         f"a share of {asks['agreement']}"),
        (not has.wrong, f"{has.wrong} found wrong; once it is mended, the same people review it again"),
        (any("auto" in then or wanted != "auto" for then in rules), f"no rule of policy.toml has {wanted} for it"),
    ]  # fmt: skip
    return [words for is_met, words in found if not is_met]


def check_phase(ledger: Ledger, policy: Policy, action: Action) -> None:
    """Raises NotPromoted when the action's kind may not be sent now. An undo may, in every phase."""
    if action.kind == PHASE_CHANGE:
        wanted = action.steps[0].params
        check_evidence(ledger, policy, wanted["kind"], wanted["phase"])
    elif not action.plan.get("undoes"):
        now = phase(ledger, policy, action.kind)
        if now == "shadow" or (now != "auto" and not action.verdict["approvers"]):
            to_do = "`policy promote` says what it lacks" if now == "shadow" else "plan again, for a person to approve"
            raise NotPromoted(f"{action.action_id} is not sent: {action.kind} is in phase {now}; {to_do}")


def check_evidence(ledger: Ledger, policy: Policy, kind: str, wanted: str) -> None:
    """Raises NotPromoted, naming all that `kind` lacks for the phase `wanted`."""
    missing = lacking(ledger, policy, kind, wanted)
    if missing:
        raise NotPromoted(f"{kind} cannot go to {wanted}: {'; '.join(missing)}")


def check_caps(ledger: Ledger, policy: Policy, action: Action) -> None:
    """Raises CapReached when this action would pass a cap; for the transaction of its first intent.

    What makes up for an earlier action, and a change of phase, is never held up.
    """
    if action.intents or action.kind == PHASE_CHANGE or action.plan.get("undoes"):
        return
    caps, planned, now = policy.caps, action.planned, ledger.clock.now_us()
    today, customer = now - now % DAY_US, planned.customer_id
    for cap, scope, value, since, words in (
        (caps["day"], "", None, today, "a day"),
        (caps["customer_in_30_days"], "of_customer", customer, today - 29 * DAY_US, "of one customer in 30 days"),
        (caps.get("kind_in_a_day", {}).get(action.kind), "of_kind", action.kind, today, f"of {action.kind} a day"),
    ):
        if cap is None or (scope and value is None):
            continue
        most, amount = cap["amount_minor"].get(planned.currency, -1), planned.amount_minor or 0
        for exactly in (False, True):  # the exact count is dearer, so it is made only where the rough one is too high
            sql = _SQL["booked"] + _SQL.get(scope, "")
            [(count, spent)] = ledger.query(sql, planned.currency, since, exactly, value)
            if count < cap["actions"] and spent + amount <= most:
                break
        else:
            raise CapReached(
                f"{action.action_id} is not sent: {count} + 1 actions {words} (at most {cap['actions']}), {spent} + "
                f"{amount} minor units of {planned.currency} (at most {most}); wait, or change [caps] and plan again"
            )


def check_size(ledger: Ledger, policy: Policy, run_id: str, new: int, customers: int, expect: int | None) -> None:
    """The brake, for the end of the transaction that wrote the plans. new: how many; customers: of the account.

    All plans of one publication count together, so that many small runs are no way around it. Raises UnusualPlan.
    """
    runs, brake, why = dict(ledger.query(_SQL["runs"], _EARLIER_PLANS + 1)), policy.brake, ""
    count, [(touched,)] = runs.pop(run_id, 0), ledger.query(_SQL["touched"], run_id)
    if new and count > brake["at_least"]:
        usual = median_high(runs.values()) if runs else count
        if count > Decimal(brake["times_median"]) * usual:
            why = f"over {brake['times_median']} times the usual {usual}"
        elif touched > Decimal(brake["customers_share"]) * customers:
            why = f"for {touched} of {customers} customers, more than a share of {brake['customers_share']}"
    if (why and expect is None) or expect not in (None, new):
        raise UnusualPlan(f"{new} new plans {why}; look at them in the mart, then `plan --expect {new}`")
