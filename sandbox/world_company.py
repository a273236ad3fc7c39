"""The seeded company as billing meets it: who pays, who uses what, and how customers take what is done to them."""

import json
from pathlib import Path

import numpy as np

from sandbox import draw, hazard, member, plants
from sandbox.clock import DAY
from sandbox.company_file import METERS, read_company
from sandbox.member import Member, PriceStep
from sandbox.options import RETRY_DAYS
from sandbox.population import Person, Population
from sandbox.store import Obj, Store

REMEMBERED = 20_000  # people kept drawn
DECLINES = ("insufficient_funds", "generic_decline", "expired_card", "do_not_honor")
DECLINE_WEIGHTS = (6, 2, 1, 1)


class SeededCompany:
    """Implements World. Its state is in the tables of member.py, so it survives a restart and a rollback."""

    def __init__(self, population: Population) -> None:
        self.population, self.company, self.seed = population, population.company, population.seed
        self.meters: dict[str, str] = {}  # event name → meter id
        self.prices: dict[str, str] = {}  # lookup key → price id
        self._people: dict[int, Person] = {}
        self._is_own_act = False  # what changes now was the customer's own wish

    # --- state

    @staticmethod
    def begin(store: Store, population: Population) -> "SeededCompany":
        """Make the company's tables, keep its parameters and put its plants on the agenda, in a transaction."""
        for statement in member.SCHEMA:
            store.db.execute(statement)
        store.set_meta("company", json.dumps(population.company))
        store.set_meta("customers", str(population.customers))
        store.set_meta("months", str(population.months))
        store.schedule(plants.moment(population.start), "company.plant", "")
        world = SeededCompany(population)
        store.world = world
        return world

    @staticmethod
    def open(store: Store) -> "SeededCompany | None":
        """The company a state was seeded with, put in store.world; None for an empty account."""
        company = store.meta("company")
        if company is None:
            return None
        size, months = int(store.meta("customers") or 0), int(store.meta("months") or 2)
        world = SeededCompany(Population(json.loads(company), store.seed, size, months))
        store.world = world
        return world

    def person(self, idx: int) -> Person:
        """The customer with that index as it signed up."""
        found = self._people.get(idx)
        if found is None:
            found = self._people[idx] = self.population.person(idx)
            if len(self._people) > REMEMBERED:
                del self._people[next(iter(self._people))]
        return found

    def meter(self, store: Store, event_name: str) -> str:
        """The id of the meter of that event name."""
        if not self.meters:
            self.meters = {meter["event_name"]: meter["id"] for meter in store.rows("billing.meter")}
        return self.meters[event_name]

    def plan(self, store: Store, item: Obj) -> str | None:
        """The plan whose product a subscription's item buys, at whatever price; None for all other products."""
        named = store.get("product", item["price"]["product"])["metadata"].get("plan")
        return named if named in self.company["plans"] else None

    def price(self, store: Store, key: str) -> Obj:
        """The price that the catalogue made under that lookup key."""
        if not self.prices:
            self.prices = json.loads(store.meta("company prices") or "{}")
        return store.get("price", self.prices[key])

    # --- World

    def pays(self, store: Store, invoice: Obj, attempt: int) -> str | None:
        """Whether an attempt works: by chance, more often not while in trouble, never once it has stopped paying."""
        one = member.find(store, invoice["customer"])
        if one is None:
            return None
        spec, key = self.company["payments"], (one.idx, "pays", invoice["created"], invoice["amount_due"], store.now)
        point = draw.uniform(self.seed, *key)
        # a retry by hand has the number of the attempt before it
        is_first = attempt == 1 and invoice["status_transitions"]["finalized_at"] == store.now
        if not one.subscription:
            works = True  # nobody signs up with a card that fails
        elif one.stops_paying_at is not None and store.now >= one.stops_paying_at:
            works = False
        elif is_first:
            works = point >= spec["trouble_fails" if store.now < one.trouble_until else "first_fails"]
        else:
            works = attempt > len(RETRY_DAYS) or point < spec["retry_works"]
        if works:
            return "succeeds"
        if is_first:
            one.failures = [*one.failures[1 - hazard.MOST_FAILURES :], store.now]
            member.save(store, one)
        return draw.pick(DECLINES, DECLINE_WEIGHTS, self.seed, *key, "code")

    def use(self, store: Store, customer: str, until: int) -> None:
        """Record the customer's usage up to `until`, exclusive, or to its end."""
        if member.lags(store, customer, until) and (one := self._running(store, customer)):
            self.record(store, one, until)
            member.save(store, one)

    def record(self, store: Store, one: Member, until: int) -> bool:
        """Record usage from where it was recorded to; whether there was anything to do. The caller saves `one`."""
        since = one.filled_until
        if since >= until:
            return False
        person = self.person(one.idx)
        days = np.arange(since // DAY, (until - 1) // DAY + 1, dtype=np.int64)
        values, _, moments = member.used(self.company, person, one, days)
        wanted = (values > 0) & (moments >= since) & (moments < until)
        rows: list[tuple[str, str, int, int, int]] = []
        for row, name in enumerate(person.items.meters):
            mine = wanted[row]
            meter, taken = self.meter(store, name), values[row, mine].tolist()
            one.used[row] += sum(taken)
            rows += [(meter, one.customer, at, v, at) for at, v in zip(moments[row, mine].tolist(), taken, strict=True)]
        store.db.executemany(
            "insert into usage (meter, customer, at, identifier, value, received) values (?, ?, ?, '', ?, ?)", rows
        )
        one.filled_until = until
        return True

    def changed(self, store: Store, sub: Obj, before: list[Obj]) -> None:
        """Usage answers to new unit prices from now on; a change of the whole bill is felt in the hazard."""
        one = self._running(store, sub["customer"])
        if one is None or one.subscription != sub["id"]:
            return
        person, after = self.person(one.idx), sub["items"]["data"]
        days = np.arange(store.now // DAY, store.now // DAY + 28, dtype=np.int64)
        units, _ = member.expected(self.company, person, one, days, store.now // DAY)
        monthly = dict(zip(person.items.meters, (units.mean(axis=1) * 30.4).tolist(), strict=True))
        was, now = (self._bill(store, items, monthly) for items in (before, after))
        if was > 0 and now > 0 and was != now and not self._is_own_act:
            one.costs.append((store.now, now / was))
        old = dict(self._metered(store, before))
        for meter, price in self._metered(store, after):
            if meter not in monthly or meter not in old or price["id"] == old[meter]["id"]:
                continue
            first, second = (hazard.marginal(each, monthly[meter]) for each in (old[meter], price))
            if first > 0 and second > 0 and first != second and price["currency"] == old[meter]["currency"]:
                factor = (second / first) ** hazard.elasticity(self.company, person.segment, meter)
                one.prices.append(PriceStep(store.now, meter, second / first, factor, self._is_own_act))
        member.save(store, one)

    def treated(self, store: Store, customer: str, kind: str, amount: int) -> None:
        """A credit or an offer is felt for some months."""
        one = self._running(store, customer)
        if one is not None:
            one.effects.append((kind, store.now))
            member.save(store, one)

    def ended(self, store: Store, sub: Obj) -> None:
        """The customer uses nothing after its subscription's end."""
        one = self._running(store, sub["customer"])
        if one is not None and one.subscription == sub["id"]:
            self.record(store, one, store.now)
            one.ends_at = store.now
            member.save(store, one)
            self._people.pop(one.idx, None)

    def advanced(self, store: Store) -> None:
        """Everybody's usage is recorded up to now."""
        for one in member.everybody(store, open_only=True):
            if self.record(store, one, store.now):
                member.save(store, one)

    def _running(self, store: Store, customer: str) -> Member | None:
        """The company's customer of that id, while its subscription has not ended."""
        one = member.find(store, customer)
        return one if one is not None and one.ends_at is None else None

    # --- what an act costs

    def own_act(self, store: Store, sub: Obj, before: list[Obj]) -> None:
        """As `changed`, for what the customer wanted itself: it answers to prices and resents nothing."""
        self._is_own_act = True
        try:
            self.changed(store, sub, before)
        finally:
            self._is_own_act = False

    def _metered(self, store: Store, items: list[Obj]) -> list[tuple[str, Obj]]:
        """(event name, whole price) of the metered items."""
        names = {self.meter(store, name): name for name in METERS}
        found = []
        for item in items:
            meter = (item["price"].get("recurring") or {}).get("meter")
            if meter in names:
                found.append((names[meter], store.get("price", item["price"]["id"])))
        return found

    def _bill(self, store: Store, items: list[Obj], monthly: dict[str, float]) -> float:
        """What a month costs in minor units, before discounts, with that usage."""
        metered = self._metered(store, items)
        ids = {price["id"] for _, price in metered}
        total = sum(hazard.cost(price, monthly.get(meter, 0.0)) for meter, price in metered)
        for item in items:
            if item["price"]["id"] not in ids:
                total += hazard.cost(store.get("price", item["price"]["id"]), item.get("quantity") or 0)
        return total

    def overage(self, store: Store, items: list[Obj], calls: float) -> float:
        """What `calls` a month cost, over the licensed fees; 0 within the quota, or without fees."""
        price = dict(self._metered(store, items)).get("api_calls")
        if price is None or hazard.is_free(price, calls):
            return 0.0
        fees = self._bill(store, [item for item in items if item.get("quantity")], {})
        return hazard.cost(price, calls) / fees if fees > 0 else 0.0


def new_company(path: Path, *, seed: int, customers: int, months: int) -> Population:
    """The population of a company file; raises BadCompany."""
    return Population(read_company(path), seed, customers, months)
