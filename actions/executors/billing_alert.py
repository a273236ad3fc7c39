"""A usage alert: POST /v1/billing/alerts, an event when one customer's usage of a meter passes a number."""

from actions.executors.base import Facts, Row, Undo, require
from actions.executors.reads import customer_facts, ended, is_ending, require_same, shown
from actions.port import StripeReader
from actions.state import Request

PATH = "/v1/billing/alerts"


class BillingAlert:
    """Costs nobody anything. Alerts have no metadata, so the tag is in the title; undone by archiving."""

    name = "billing_alert"
    kinds: tuple[str, ...] = ("usage_alert",)

    def accepts(self, params: Facts) -> bool:
        return set(params) == {"alert_type", "usage_threshold"}

    def plan(self, kind: str, amount_minor: int, params: Facts, precondition: Facts) -> list[Request]:
        """params: alert_type "usage_threshold" and usage_threshold, as Stripe has them, for exactly one customer.
        Raises BadRecommendation.
        """
        require(self.accepts(params) and params["alert_type"] == "usage_threshold", f"a {kind} with a usage_threshold")
        require(amount_minor == 0, f"no exposure for a {kind}, not {amount_minor}")
        threshold = params["usage_threshold"]
        wanted = [{"type": "customer", "customer": precondition.get("customer")}]
        require(threshold.get("filters") == wanted, "a filter on the customer of the precondition, and no other")
        require_same(threshold, precondition, "meter")
        require(threshold.get("recurrence") == "one_time", "the recurrence one_time, the only one")
        is_number = type(threshold.get("gte")) is int and threshold["gte"] > 0
        require(is_number, f"a whole threshold above 0, not {threshold.get('gte')!r}")
        title = f"Usage from {threshold['gte']} of {threshold['meter']} [meterwise {{action}}]"
        return [Request(self.name, "post", PATH, params | {"title": title}, "billing.AlertCreateParams")]

    def describe(self, steps: list[Request], precondition: Facts) -> list[Row]:
        if is_ending(steps[0]):
            return [(f"alert on {precondition['meter']}", "active", "archived"), ("undo", "", "not possible")]
        gte = steps[0].params["usage_threshold"]["gte"]
        return [(f"alert on {precondition['meter']}", "", f"once, from {gte} units on, counted from now"),
                ("undo", "", "the alert is archived")]  # fmt: skip

    def expected(self, request: Request, precondition: Facts) -> Facts:
        return {"is_deleted": False, "meter_status": "active"} | precondition

    def live(self, reader: StripeReader, request: Request, expected: Facts) -> Facts:
        """GETs of customer and meter (of the alert, to archive it)."""
        facts = customer_facts(reader, expected["customer"])
        meter = reader.read(f"/v1/billing/meters/{expected['meter']}")
        facts |= {"meter": expected["meter"], "meter_status": meter["status"] if meter else None}
        if is_ending(request):
            facts["alert_status"] = _status(reader, request)
        return shown(expected, facts)

    def preview(self, reader: StripeReader, request: Request) -> Facts | None:
        return None

    def find(self, reader: StripeReader, request: Request, since: int) -> Facts | None:
        """The meter's alert of exactly this title, which names the action. An archived one is in no list any more."""
        if is_ending(request):
            found = {"id": request.path.split("/")[-2], "object": "billing.alert"}
            return found if _status(reader, request) == "archived" else None
        alerts = reader.list(PATH, {"meter": request.params["usage_threshold"]["meter"]})
        return next((found for found in alerts if found["title"] == request.params["title"]), None)

    def compensate(self, steps: list[Request], made: dict[int, str], precondition: Facts) -> Undo | None:
        if is_ending(steps[0]) or 0 not in made:
            return None
        archive = Request(self.name, "post", f"{PATH}/{made[0]}/archive", {}, "billing.AlertArchiveParams")
        # Whatever became of the meter since, its alert can go.
        held = {key: precondition[key] for key in precondition if key != "meter_status"}
        return [archive], held | {"alert_status": "active"}


def _status(reader: StripeReader, request: Request) -> str:
    """Stripe removes what is archived from its lists, and may do so from its API."""
    found = ended(reader, request)
    return str(found["status"]) if found else "archived"
