"""What is on sale in the till's account, subscriptions to it, and recommendations as a mart would write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.actions.till import Till

Facts = dict[str, Any]


@dataclass
class Shelf:
    """Prices by name: licences `small` and `large` of 1000 and 3000 dollar cents, `dear` in euros, `gone` (archived);
    metered `calls` and `many_calls`.
    """

    till: Till
    prices: dict[str, str]

    def subscribed(self, customer: str = "", **more: Any) -> Facts:
        """A new subscription: three seats of the small one, and calls."""
        items = [{"price": self.prices["small"], "quantity": 3}, {"price": self.prices["calls"]}]
        given = {"customer": customer or self.till.customer(), "items": items} | more
        return self.till.read(f"/v1/subscriptions/{self.till.admin.v1.subscriptions.create(given).id}")

    def swap(self, found: Facts, to: str = "large", **more: Any) -> Facts:
        """Params: the seats take another price."""
        items = [{"id": seats(found)["id"], "price": self.prices.get(to, to)}]
        return {"subscription": found["id"], "items": items, "proration_behavior": "none"} | more

    def later(self, found: Facts, to: str = "large", **more: Any) -> Facts:
        """The same, when the present period ends."""
        params = self.swap(found, to, at="period_end", **more)
        del params["proration_behavior"]
        return params

    def coupon(self, **more: Any) -> str:
        given = {"percent_off": 20, "duration": "once"} if not more else {"duration": "once"} | more
        return str(self.till.admin.v1.coupons.create(given).id)


def stocked(till: Till) -> Shelf:
    wanted = {"small": (1000, "usd"), "large": (3000, "usd"), "dear": (9000, "eur"), "gone": (1000, "usd")}
    made = {name: licence(till, amount, currency) for name, (amount, currency) in wanted.items()}
    till.admin.v1.prices.update(made["gone"], {"active": False})
    return Shelf(till, made | {"calls": till.price()[0], "many_calls": till.price()[0]})


def licence(till: Till, amount: int, currency: str = "usd", interval: str = "month") -> str:
    given = {"currency": currency, "unit_amount": amount, "recurring": {"interval": interval}}
    return str(till.admin.v1.prices.create(given | {"product_data": {"name": f"Seats at {amount}"}}).id)


def seats(found: Facts) -> Facts:
    """The licensed item of a subscription."""
    (item,) = [one for one in found["items"]["data"] if one.get("quantity")]
    return dict(item)


def held(found: Facts, **more: Any) -> Facts:
    """The precondition of a subscription. The mart's order of items is not Stripe's."""
    keys = ("id", "price", "quantity")
    items = [dict(zip(keys, row, strict=True)) for row in reversed(contents(found))]
    facts = {key: found[key] for key in ("customer", "currency", "livemode")}
    return facts | {"subscription": found["id"], "subscription_status": found["status"], "items": items} | more


def scheduled(found: Facts, *new_prices: str) -> Facts:
    """The precondition of a change at the period's end."""
    item = found["items"]["data"][0]
    period = [item["current_period_start"], item["current_period_end"]]
    return held(found, period=period, new_prices=sorted(new_prices))


def contents(found: Facts) -> list[tuple[str, str, int | None]]:
    return sorted((one["id"], one["price"]["id"], one.get("quantity")) for one in found["items"]["data"])


def again(till: Till, found: Facts) -> Facts:
    return till.read(f"/v1/subscriptions/{found['id']}")
