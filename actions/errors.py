"""One class per refusal; the family a class belongs to decides the exit code (mapped in cli.py).

Every message says what was found, what was expected, and what to do next.
"""


class ActionError(Exception):
    """Failed: one sentence and the next step (exit 1)."""


class NothingToDo(ActionError):
    """There is nothing this command could work on (exit 3)."""


class Locked(ActionError):
    """Another process holds the file (exit 4)."""


class Undecided(ActionError):
    """A person has to decide before this can go on (exit 5)."""


class Refused(ActionError):
    """The runner will not do this as things stand (exit 6)."""


class Breach(ActionError):
    """The ledger is not what the runner wrote (exit 7)."""


class NotPublished(ActionError):
    """No published warehouse to read recommendations from."""


class BadRecommendation(ActionError):
    """A published recommendation breaks the contract of its kind."""


class BadPolicy(ActionError):
    """policy.toml holds something that is not part of the rule set."""


class UnknownAction(ActionError):
    """No action has this id, or more than one begins with it."""


class LedgerUnwritable(ActionError):
    """The ledger's file or folder cannot be written."""


class StripeUnusable(ActionError):
    """Stripe cannot be asked now: no answer, a bad key, or a permission that the key lacks."""


class KeyRefused(ActionError):
    """Stripe does not accept the key for a write; it says so before doing anything."""


class OddAnswer(Undecided):
    """An object of Stripe's is not shaped as it should be, so nothing about it can be concluded."""


class OpenIntent(Undecided):
    """An earlier action on the same customer was sent and its end is not known."""


class LiveKeyRefused(Refused):
    """A live key without both switches, or switches that do not fit the key."""


class WrongAccount(Refused):
    """The key, the plan and the ledger do not belong to the same account and mode."""


class NotApproved(Refused):
    """The action is not in the state that this step needs."""


class PolicyChanged(Refused):
    """policy.toml is not the one that the plan was checked against."""


class ShadowCannotWrite(Refused):
    """Something tried to write through the shadow port."""


class AlreadyClaimed(Refused):
    """Another process wrote the same step first."""


class AlreadyPaid(Refused):
    """This recommendation was carried out under another plan."""


class LedgerAltered(Breach):
    """A hash, a sequence number or the head does not match."""


class LedgerBehind(LedgerAltered):
    """The ledger ends before its head does: its tail was cut, or an old copy was put back."""


class LedgerExposed(Refused):
    """Others may write the ledger or its folder, or it is a link to somewhere else."""


class LedgerTooNew(Refused):
    """A newer version of this program has written the ledger."""


class LedgerThere(Refused):
    """There is a ledger where one should be restored."""


class NotAnExport(ActionError):
    """The file is no export of a ledger, or not a whole one."""


class Halted(Refused):
    """The kill switch is on: nothing is sent until a person says otherwise."""


class ClockSkew(Refused):
    """This machine's clock and Stripe's are too far apart to tell which approvals stand."""


class ApprovalEnded(Refused):
    """The approvals were given, but too few of them stand now."""


class Exhausted(Refused):
    """Too many tries, or a day of them, without an answer that counts: a person decides whether to go on."""


class CapReached(Refused):
    """This action would pass a cap of policy.toml."""


class NotPromoted(Refused):
    """The kind's phase does not let this be sent, or not without a person's approval."""


class UnusualPlan(Refused):
    """Far more plans than usual: a person says first that this many are meant."""


class CannotUndo(Refused):
    """Stripe offers no way back from what was done."""
