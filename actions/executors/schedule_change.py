"""Other prices from the next period on: a schedule made of the subscription, then its phases (stripe.md 4.2)."""

from actions.executors import swaps
from actions.executors.base import Facts, Row, Undo, carries, require
from actions.executors.subscriptions import CHANGEABLE, IMPLIED, facts_of
from actions.port import StripeReader
from actions.state import Request
from actions.text import moment

ROOT = "/v1/subscription_schedules"
CREATE, UPDATE, RELEASE = (f"SubscriptionSchedule{verb}Params" for verb in ("Create", "Update", "Release"))


class ScheduleChange:
    """The present period stays as it is, so usage keeps its price; undone by releasing the schedule before its end."""

    name = "schedule_change"
    kinds: tuple[str, ...] = ("tier_upgrade", "right_size_downgrade")

    def accepts(self, params: Facts) -> bool:
        return set(params) == {"subscription", "items", "at"} and params["at"] == "period_end"

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: subscription, items, at (period_end). The precondition also holds `period` (the present one, two
        unix times) and `new_prices`. Raises BadRecommendation.
        """
        require(params["subscription"] == precondition.get("subscription"), "the subscription of the precondition")
        require(precondition.get("subscription_status") == "active", "an active subscription: phases end a trial")
        require([type(one) for one in precondition["period"]] == [int, int], "the period, two unix times")
        held, sent = swaps.by_id(precondition["items"]), swaps.with_quantities(params["items"], precondition["items"])
        new_prices = sorted({item["price"] for item in sent})
        require(precondition.get("new_prices") == new_prices, f"new_prices {new_prices} in the precondition")
        start, end = precondition["period"]
        now = {"start_date": start, "end_date": end, "items": swaps.of_a_phase(held), "proration_behavior": "none"}
        later = {"start_date": end, "duration": {"interval": "month", "interval_count": 1}}
        later |= {"items": swaps.of_a_phase(swaps.swapped(held, sent)), "proration_behavior": "none"}
        phases = {"end_behavior": "release", "metadata": {}, "phases": [now, later], "proration_behavior": "none"}
        made = {"from_subscription": params["subscription"]}  # Stripe takes nothing else beside it, not even metadata
        update = Request(self.name, "post", f"{ROOT}/{{0}}", phases, UPDATE)
        return [Request(self.name, "post", ROOT, made, CREATE), update]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        if steps[0].shape == RELEASE:
            return [("schedule", precondition["schedule"], "released: the subscription stays as it is")]
        now, later = steps[1].params["phases"]
        pairs = zip(now["items"], later["items"], strict=True)
        rows = [("item", swaps.words(old), swaps.words(new)) for old, new in pairs if old != new]
        undo = "releases the schedule, before that time; later a plan with the previous prices is needed"
        return [*rows, ("from", "", f"{moment(later['start_date'])}, the period's end"), ("undo", "", undo)]

    def expected(self, request: Request, precondition: Facts) -> Facts:
        """Also: no other schedule, not ending, and nothing on it that phases would take away."""
        implied = IMPLIED | CHANGEABLE | {"lost_in_a_schedule": []}
        return implied | precondition | {"items": swaps.by_id(precondition["items"])}

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        return facts_of(reader, expected["subscription"], expected, {})

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The schedule that the subscription has got since; with the tags once it has phases; released after undo."""
        if request.shape == CREATE:
            owner = reader.read(f"/v1/subscriptions/{request.params['from_subscription']}")
            found = reader.read(f"{ROOT}/{owner['schedule']}") if owner and owner["schedule"] else None
            return found if found is not None and found["created"] >= since and not found["metadata"] else None
        found = reader.read(request.path.removesuffix("/release"))
        if found is None or request.shape == UPDATE:
            return found if found is not None and carries(found, request) else None
        return found if found["status"] == "released" else None

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        """Never `cancel`: that would end the subscription. Once the period has ended, its items refuse this."""
        if 0 not in made or steps[0].shape == RELEASE:
            return None
        now = self.expected(steps[0], precondition) | {"has_schedule": True, "schedule": made[0]}
        del now["new_prices"]
        return [Request(self.name, "post", f"{ROOT}/{made[0]}/release", {}, RELEASE)], now
