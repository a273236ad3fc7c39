"""Facts that nobody outside Stripe can look up, or that an account sets in its Dashboard: each under its name.

The section is that of the project's reference on Stripe (stripe.md), where the fact is marked as remembered or given
as an account setting. Amounts are minor units, times seconds. Change a value here to have another Stripe account.
"""

from decimal import ROUND_HALF_UP

# --- prices and lines (6.2)
ROUNDING = ROUND_HALF_UP  # of each line; halves go away from zero
FLAT_FEE_AT_ZERO_USAGE = True  # the first tier's flat amount is charged although nothing was used
AMOUNT_STEPS = dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10) | {"isk": 100, "ugx": 100}  # others: 1

# --- the waterfall (6.3)
PERCENT_ROUNDED_PER_LINE = True  # False: a percentage is rounded once and shared among the lines
TAX_ROUNDED_PER_LINE = True  # False: once per rate and invoice, and shared among the lines
CREDIT_ORDER = ("priority", "expires_at", "category", "effective_at", "created")  # of grants; None expires last
MINIMUM_CHARGE = {  # less than this is not charged but moved to the customer's balance (6.2)
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
MINIMUM_CHARGE_ELSEWHERE = 50

# --- invoices (1.2, 2.2, 4.9)
GRACE_SECONDS = 3600  # between the draft at a period's end and its finalisation; late usage still counts
INLINE_LINES = 10  # rows of a list inside an object
CREDITABLE = frozenset({"open", "paid", "uncollectible"})  # statuses of an invoice that take a credit note (4.4)

# --- payment (4.10)
RETRY_DAYS = (3, 5, 7)  # days from the first attempt to each retry
AFTER_LAST_RETRY = "cancel"  # the subscription: cancel (its invoice uncollectible) | unpaid | past_due
CARD_FEE_PERCENT, CARD_FEE_FIXED = "2.9", 30  # of a charge's balance transaction

# --- time (5.5)
EVENTS_ON_CLOCK = False  # events of a test clock's objects carry the clock's time; False: the account's

# --- subscriptions (4.1, 6.4)
METERED_SWAP = "period_end"  # a metered item's price is swapped for one with the same meter: the period's whole usage
# is billed on the new price ("period_end"), or what was used so far is billed on the old one ("switch")
REMOVED_USAGE_BILLED = True  # a metered item is removed: its usage so far goes on the next invoice
MAX_ITEMS = 20  # items of a subscription
MAX_SUBSCRIPTIONS = 500  # that a customer has at a time
TRIAL_NOTICE_SECONDS = 3 * 86_400  # trial_will_end before a trial's end
INCOMPLETE_SECONDS = 23 * 3600  # in which a first invoice must be paid; as long does a pending update wait
UPCOMING_DAYS = 7  # invoice.upcoming before a renewal; 0: never
QUOTE_LIFE_DAYS = 30  # until a quote that says nothing about it expires (4.3)

# --- meters, alerts, credits, test clocks (1.2, 4.6, 4.11, 5.5)
METER_EVENT_IDENTIFIER_SECONDS = 86_400  # in which an identifier is refused when it is sent again; Stripe: "at least"
ALERTS_PER_METER_AND_CUSTOMER = 25
UNUSED_GRANTS_PER_CUSTOMER = 100
CLOCK_CUSTOMERS: int | None = 3  # of a test clock; None: any number
CLOCK_INTERVALS: int | None = 2  # of the shortest subscription, that one call may advance a test clock; None: any
CLOCK_DAYS = 30  # until a test clock is deleted
