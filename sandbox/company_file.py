"""A company file, read and checked against the table of docs/sandbox-company.md, which is its schema."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.errors import BadCompany
from sandbox.state import REPOSITORY

Company = dict[str, Any]
METERS = {"api_calls": "API calls", "compute_seconds": "Compute seconds", "storage_gb_days": "Storage GB-days"}
ANOMALIES = ("spike", "surge", "dip", "drop", "zero", "shift")  # a shift stays; the others pass
DOCS = REPOSITORY / "docs" / "sandbox-company.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
RANGE = re.compile(r" (\S+) to ([^\s,]+)")
NAMES = {  # of the tables: a pattern, and what it means; any other takes small letters, digits and _
    "currencies": ("[a-z]{3}", "three small letters"),
    "coupons": (".+", "a name"),
    "elasticity": ("|".join(METERS), f"one of {', '.join(METERS)}"),
    "anomalies": ("|".join(ANOMALIES), f"one of {', '.join(ANOMALIES)}"),
}
MAY_BE_EMPTY = ("coupons", "anomalies", "elasticity")


class Key(NamedTuple):
    """One key of the schema. path: a star stands for a name of the file's own. default: `required`, `none`, or JSON."""

    path: tuple[str, ...]
    expected: str
    default: str
    meaning: str
    low: float
    high: float

    def takes(self, value: Any) -> bool:
        """Whether a value is what the schema expects."""
        if self.expected.startswith("a text"):
            return isinstance(value, str) and self.low <= len(value) <= self.high
        if self.expected.startswith("an amount"):
            return _is_amount(value)
        if self.expected.startswith("a list"):
            is_days = "days" in self.expected
            rows_fit = isinstance(value, list) and all(map(_is_day if is_days else _is_tier, value))
            return rows_fit and (is_days or bool(value))
        kinds = (int,) if "whole number" in self.expected else (int, float)
        is_pair = isinstance(value, list) and len(value) == 2
        if is_pair != self.expected.startswith("two"):
            return False
        numbers = value if is_pair else [value]
        fits = all(type(each) in kinds and self.low <= each <= self.high for each in numbers)
        return fits and numbers == sorted(numbers)


@cache
def schema() -> tuple[Key, ...]:
    """The keys of a company file, in the documented order."""
    keys = []
    for path, expected, default, meaning in ROW.findall(DOCS.read_text()):
        low, high = map(float, (RANGE.findall(expected) or [(0, 0)])[0])
        keys.append(Key(tuple(path.split(".")), expected, default.strip("`"), meaning, low, high))
    return tuple(keys)


def read_company(path: Path) -> Company:
    """The file's tables, whole, with defaults where it is silent; raises BadCompany with what is wrong."""
    try:
        return check(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadCompany(f"cannot read {path}: {error}; see docs/sandbox-company.md") from error
    except BadCompany as error:
        raise BadCompany(f"{path}: {error}; see docs/sandbox-company.md") from None


def check(found: Company) -> Company:
    """A company of plain tables, every key known and in range; raises BadCompany: key, what was found and expected."""
    company: Company = {name: {} for name in MAY_BE_EMPTY} | deepcopy(found)
    places = [(key, path, table) for key in schema() for path, table in _places(company, key.path, ())]
    if unknown := [path for path in _leaves(company, ()) if path not in {path for _, path, _ in places}]:
        text = ".".join(unknown[0])
        near = get_close_matches(text, [".".join(key.path) for key in schema()], 1, 0.5)
        raise _bad(text, "a key that nobody reads", near[0] if near else "one of the schema")
    for key, path, table in places:
        if path[-1] in table and not key.takes(table[path[-1]]):
            raise _bad(".".join(path), repr(table[path[-1]]), key.expected)
        if path[-1] not in table and key.default == "required":
            raise _bad(".".join(path), "nothing", f"{key.expected} ({key.meaning})")
        if path[-1] not in table and key.default != "none":
            table[path[-1]] = json.loads(key.default)
    for name in ("currencies", "plans", "segments"):
        if not company[name]:
            raise _bad(name, "nothing", "a table with at least one name")
    for segment in company["segments"].values():
        segment["tiers"] = segment["tiers"] or {"standard": 1}
    _check_prices(company)
    _check_weights(company)
    return company


def _bad(where: str, found: object, expected: str) -> BadCompany:
    return BadCompany(f"{where}: found {found}, expected {expected}")


def _places(table: Company, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Company]]:
    """Where the file has or lacks a key of the schema: its path with the file's own names, and the table of it."""
    for name in list(table) if path[0] == "*" else path[:1]:
        if path[0] == "*":
            pattern, meaning = NAMES.get(above[-1], ("[a-z][a-z0-9_]{0,39}", "small letters, digits and _"))
            if not re.fullmatch(pattern, name):
                raise _bad(".".join((*above, name)), repr(name), meaning)
        if not path[1:]:
            yield (*above, name), table
        elif isinstance(inner := table.setdefault(name, {}), dict):
            yield from _places(inner, path[1:], (*above, name))


def _leaves(table: Company, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all values; an empty table has none."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _is_day(text: Any) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", text))


def _is_tier(tier: Any) -> bool:
    is_bounded = isinstance(tier, dict) and type(tier.get("up_to", 0)) is int
    return is_bounded and all(_is_amount(value) for name, value in tier.items() if name != "up_to")


def _is_amount(value: Any) -> bool:
    """Whether it is a decimal text of at most 12 places, as Stripe takes unit_amount_decimal."""
    try:
        amount = Decimal(value) if isinstance(value, str) else Decimal(-1)
    except InvalidOperation:
        return False
    return bool(amount.is_finite() and amount >= 0 and amount == round(amount, 12))


def _check_prices(company: Company) -> None:
    """Every price has an amount in every currency; tiers rise and the last is open; ranks differ."""
    plans, addons, currencies = company["plans"], company["addons"], set(company["currencies"])
    priced: dict[str, Iterable[str]] = {f"plans.{name}.fee": plan["fee"] for name, plan in plans.items()}
    priced |= {f"addons.{name}": addons[name] for name in ("seat", "compute_second")}
    lists = {f"plans.{name}.overage": (plan["overage"], plan["included"]) for name, plan in plans.items()}
    for where, (tiers, above) in (lists | {"addons.storage": (addons["storage"], 0)}).items():
        found = [tier.get("up_to") for tier in tiers]
        bounds = [above, *found[:-1]]
        if None in bounds or bounds != sorted(set(bounds)) or found[-1] is not None:
            raise _bad(where, f"up_to {found}", f"to rise from over {above} and none in the last")
        priced |= {f"{where}[{place}]": tier.keys() - {"up_to"} for place, tier in enumerate(tiers)}
    for where, names in priced.items():
        if set(names) != currencies:
            raise _bad(where, _words(names), f"an amount for each of {_words(currencies)}")
    if len({plan["rank"] for plan in plans.values()}) < len(plans):
        raise _bad("plans.*.rank", "the same rank twice", "a rank of its own for each plan")


def _check_weights(company: Company) -> None:
    """Weights add up to something, and name what exists."""
    segments, plans, coupon = company["segments"], company["plans"], company["behaviour"]["coupon"]
    weights = {"currencies": company["currencies"], "segments.*.share": {n: s["share"] for n, s in segments.items()}}
    for name, segment in segments.items():
        if unknown := set(segment["plans"]) - set(plans):
            raise _bad(f"segments.{name}.plans", _words(unknown), f"names of {_words(plans)}")
        weights |= {f"segments.{name}.{what}": segment[what] for what in ("plans", "tiers")}
    for where, weight in weights.items():
        if not sum(weight.values()) > 0:
            raise _bad(where, f"weights {weight}", "a sum above 0")
    if company["behaviour"]["welcome"] and coupon not in company["coupons"]:
        raise _bad("behaviour.coupon", repr(coupon), "a name of coupons, or behaviour.welcome = 0")
    if sum(kind["per_item_month"] for kind in company["anomalies"].values()) > 1:
        raise _bad("anomalies.*.per_item_month", "a sum above 1", "at most 1")


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
