"""The seeded company as billing meets it: who pays, who uses what, and how customers take what is done to them."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from sandbox import draw, hazard, member, plants
from sandbox.catalog import write_catalog
from sandbox.clock import DAY
from sandbox.company_file import read_company
from sandbox.member import Member, PriceStep
from sandbox.options import RETRY_DAYS
from sandbox.population import Population
from sandbox.store import Obj, Store
from sandbox.usage import MONTH
from sandbox.world import World

REMEMBERED = 20_000  # people kept drawn
DECLINES = {"insufficient_funds": 6, "generic_decline": 2, "expired_card": 1, "do_not_honor": 1}  # code → weight


class SeededCompany(World):
    """Its state is in the tables of member.py, so it survives a restart and a rollback."""

    def __init__(self, population: Population) -> None:
        self.population, self.company, self.seed = population, population.company, population.seed
        self.person = lru_cache(REMEMBERED)(population.person)  # index → the customer as it signed up
        self._ids: dict[str, dict[str, str]] = {}  # what the catalogue made: meters by event name, prices by lookup key

    def begin(self, store: Store) -> None:
        """Put the company in an account: its tables, parameters and catalogue, its plants and its first signup."""
        for statement in member.SCHEMA:
            store.db.execute(statement)
        told = {name: value for name, value in vars(self.population).items() if name != "seed"}
        store.set_meta("company", json.dumps(told))
        store.schedule(plants.moment(self.population.start), "company.plant", "")
        write_catalog(store, self.company)
        store.schedule(self.population.joins_at(0), "person.join", "0")
        store.world = self

    @staticmethod
    def open(store: Store) -> None:
        """Put the company that a state was seeded with in store.world; an empty account has none."""
        if told := store.meta("company"):
            store.world = SeededCompany(Population(seed=store.seed, **json.loads(told)))

    def meter(self, store: Store, event_name: str) -> str:
        """The id of the meter of that event name."""
        return self._made(store, "meters")[event_name]

    def price(self, store: Store, key: str) -> Obj:
        """The price that the catalogue made under that lookup key."""
        return store.get("price", self._made(store, "prices")[key])

    def _made(self, store: Store, what: str) -> dict[str, str]:
        if what not in self._ids:
            self._ids[what] = json.loads(store.meta(f"company {what}") or "{}")
        return self._ids[what]

    def plan(self, store: Store, item: Obj) -> str | None:
        """The plan whose product a subscription's item buys, at whatever price; None for all other products."""
        named = store.get("product", item["price"]["product"])["metadata"].get("plan")
        return named if named in self.company["plans"] else None

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
        return draw.pick(list(DECLINES), list(DECLINES.values()), self.seed, *key, "code")

    def use(self, store: Store, customer: str, until: int) -> None:
        """Record the customer's usage up to `until`, exclusive, or to its end."""
        one = self._running(store, customer)
        if one and self.record(store, one, until):
            member.save(store, one)

    def record(self, store: Store, one: Member, until: int) -> bool:
        """Record usage from where it was recorded to; whether there was anything to do. The caller saves `one`."""
        since = one.filled_until
        if since >= until:
            return False
        person = self.person(one.idx)
        days = np.arange(since // DAY, (until - 1) // DAY + 1, dtype=np.int64)
        values, _, moments = member.used(person, one, days)
        wanted = (values > 0) & (moments >= since) & (moments < until)
        rows: list[tuple[int, int, int, int]] = []
        for row, name in enumerate(person.items.meters):
            series, mine = store.series(self.meter(store, name), one.customer), wanted[row]
            taken, at = values[row, mine].tolist(), moments[row, mine].tolist()
            one.used[row] += sum(taken)
            rows += zip([series] * len(at), at, taken, at, strict=True)
        store.db.executemany("insert into usage_event values (?, ?, '', ?, ?)", rows)
        one.filled_until = until
        return True

    def changed(self, store: Store, sub: Obj, before: list[Obj], *, is_own: bool = False) -> None:
        """Usage answers to new unit prices from now on; a change of the whole bill is felt in the hazard, unless the
        customer wanted it itself (is_own): then it resents nothing."""
        one = self._running(store, sub["customer"])
        if one is None or one.subscription != sub["id"]:
            return
        person, after = self.person(one.idx), sub["items"]["data"]
        days = np.arange(store.now // DAY, store.now // DAY + 28, dtype=np.int64)
        units, _ = member.expected(person, one, days, store.now // DAY)
        monthly = dict(zip(person.items.meters, (units.mean(axis=1) * MONTH).tolist(), strict=True))
        was, now = (self._bill(store, items, monthly) for items in (before, after))
        if was > 0 and now > 0 and was != now and not is_own:
            one.costs.append((store.now, now / was))
        old, new = self._metered(store, before), self._metered(store, after)
        for meter in [name for name in new if name in old and name in monthly]:
            first, second = (hazard.marginal(prices[meter], monthly[meter]) for prices in (old, new))
            if first > 0 and second > 0 and first != second and new[meter]["currency"] == old[meter]["currency"]:
                factor = (second / first) ** hazard.elasticity(self.company, person.segment, meter)
                one.prices.append(PriceStep(store.now, meter, second / first, factor, is_own))
        member.save(store, one)

    def treated(self, store: Store, customer: str, kind: str, amount: int) -> None:
        """A credit or an offer is felt for some months."""
        if one := self._running(store, customer):
            one.effects.append((kind, store.now))
            member.save(store, one)

    def ended(self, store: Store, sub: Obj) -> None:
        """The customer uses nothing after its subscription's end."""
        one = self._running(store, sub["customer"])
        if one and one.subscription == sub["id"]:
            self.record(store, one, store.now)
            one.ends_at = store.now
            member.save(store, one)

    def advanced(self, store: Store) -> None:
        """Everybody's usage is recorded up to now."""
        for one in member.everybody(store, open_only=True):
            if self.record(store, one, store.now):
                member.save(store, one)

    def _running(self, store: Store, customer: str) -> Member | None:
        """The company's customer of that id, while its subscription has not ended."""
        one = member.find(store, customer)
        return one if one and one.ends_at is None else None

    # --- what an act costs

    def _metered(self, store: Store, items: list[Obj]) -> dict[str, Obj]:
        """Event name → whole price, of the items that the company meters."""
        names, found = {identifier: name for name, identifier in self._made(store, "meters").items()}, {}
        for item in items:
            if name := names.get(item["price"]["recurring"]["meter"] or ""):
                found[name] = store.get("price", item["price"]["id"])
        return found

    def _bill(self, store: Store, items: list[Obj], monthly: dict[str, float]) -> float:
        """What a month costs in minor units, before discounts, with that usage."""
        metered = sum(hazard.cost(price, monthly.get(name, 0.0)) for name, price in self._metered(store, items).items())
        licensed = [item for item in items if item.get("quantity")]
        prices = [(store.get("price", item["price"]["id"]), item["quantity"]) for item in licensed]
        return metered + sum(hazard.cost(price, quantity) for price, quantity in prices)

    def overage(self, store: Store, items: list[Obj], calls: float) -> float:
        """What `calls` a month cost, over the licensed fees; 0 within the quota, or without fees."""
        price = self._metered(store, items).get("api_calls")
        extra = hazard.cost(price, calls) if price else 0.0
        fees = self._bill(store, [item for item in items if item.get("quantity")], {}) if extra else 0.0
        return extra / fees if fees > 0 else 0.0


def new_company(path: Path, **size: int) -> SeededCompany:
    """The company of a company file, with `seed`, `customers` and `months`; raises BadCompany."""
    return SeededCompany(Population(read_company(path), **size))
