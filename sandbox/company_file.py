"""A company file, read and checked against the table of docs/sandbox-company.md, which is its schema."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.errors import BadCompany
from sandbox.settings import REPOSITORY

Company = dict[str, Any]
METERS = {"api_calls": "API calls", "compute_seconds": "Compute seconds", "storage_gb_days": "Storage GB-days"}
ANOMALIES = ("spike", "surge", "dip", "drop", "zero", "shift")  # a shift stays; the others pass
DOCS = REPOSITORY / "docs" / "sandbox-company.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
RANGE = re.compile(r" (\S+) to ([^\s,]+)")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAMES = {"elasticity": tuple(METERS), "anomalies": ANOMALIES}  # tables whose names are not the file's own
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
        kinds = (int,) if "whole number" in self.expected else (int, float)
        numbers = value if isinstance(value, list) else [value]
        fits = all(type(each) in kinds and self.low <= each <= self.high for each in numbers)
        match self.expected.split()[:4]:
            case ["two", *_]:
                return isinstance(value, list) and len(value) == 2 and fits and value[0] <= value[1]
            case ["a", "text", *_]:
                return isinstance(value, str) and self.low <= len(value) <= self.high
            case ["an", "amount", *_]:
                return _is_amount(value)
            case ["a", "list", "of", "days"]:
                return isinstance(value, list) and all(map(_is_day, value))
            case ["a", "list", *_]:
                return isinstance(value, list) and bool(value) and all(map(_is_tier, value))
        return not isinstance(value, list) and fits


@cache
def schema() -> tuple[Key, ...]:
    """The keys of a company file, in the documented order."""
    keys = []
    for path, expected, default, meaning in ROW.findall(DOCS.read_text()):
        bounds = RANGE.search(expected)
        low, high = (float(bounds[1]), float(bounds[2])) if bounds else (0.0, 0.0)
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
    company: Company = {name: {} for name in MAY_BE_EMPTY}
    for path, value in _leaves(found, ()):
        if value == {} and path[-1] in MAY_BE_EMPTY:
            continue
        key, table = _key_of(path), company
        if not key.takes(value):
            raise BadCompany(f"{'.'.join(path)}: found {value!r}, expected {key.expected}")
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
    for key in schema():
        _complete(company, key)
    for segment in company["segments"].values():
        segment.setdefault("tiers", {"standard": 1})
        segment.setdefault("elasticity", {})
    _check_prices(company)
    _check_weights(company)
    return company


def _leaves(table: Company, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _key_of(path: tuple[str, ...]) -> Key:
    text = ".".join(path)
    for key in schema():
        if len(key.path) == len(path) and all(part in ("*", name) for part, name in zip(key.path, path, strict=True)):
            for depth in [depth for depth, part in enumerate(key.path) if part == "*"]:
                name, allowed = path[depth], NAMES.get(path[depth - 1])
                if allowed and name not in allowed:
                    raise BadCompany(f"{text}: found {name!r}, expected one of {', '.join(allowed)}")
                if path[0] != "coupons" and not NAME.fullmatch(name):
                    raise BadCompany(f"{text}: found {name!r}, expected small letters, digits and _")
            return key
    near = get_close_matches(text, [".".join(key.path) for key in schema()], 1, 0.5)
    raise BadCompany(f"{text}: found a key that nobody reads, expected {near[0] if near else 'one of the schema'}")


def _is_day(text: Any) -> bool:
    found = re.fullmatch(r"(\d\d)-(\d\d)", text) if isinstance(text, str) else None
    return bool(found and 1 <= int(found[1]) <= 12 and 1 <= int(found[2]) <= 31)


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


def _complete(company: Company, key: Key) -> None:
    """Put the default where the key is absent; refuse where there is none."""
    if key.default == "none":
        return
    *above, last = key.path
    tables = [("", company)]
    for part in above:
        names = [(at, table, name) for at, table in tables for name in (list(table) if part == "*" else [part])]
        tables = [(f"{at}{name}.", table.setdefault(name, {})) for at, table, name in names]
        if not tables and above[0] not in MAY_BE_EMPTY:
            raise BadCompany(f"{above[0]}: found nothing, expected a table for each of them")
    for at, table in tables:
        if not (table if last == "*" else last in table):
            if key.default == "required":
                raise BadCompany(f"{at}{last}: found nothing, expected {key.expected} ({key.meaning})")
            table[last] = json.loads(key.default)


def _check_prices(company: Company) -> None:
    """Every price has an amount in every currency; tiers rise and the last is open; ranks differ."""
    plans, addons, currencies = company["plans"], company["addons"], set(company["currencies"])
    priced: dict[str, Iterable[str]] = {f"plans.{name}.fee": plan["fee"] for name, plan in plans.items()}
    priced |= {f"addons.{name}": addons[name] for name in ("seat", "compute_second")}
    lists = {f"plans.{name}.overage": (plan["overage"], plan["included"]) for name, plan in plans.items()}
    for where, (tiers, above) in (lists | {"addons.storage": (addons["storage"], 0)}).items():
        bounds = [above, *(tier.get("up_to") for tier in tiers[:-1])]
        if None in bounds or bounds != sorted(set(bounds)) or "up_to" in tiers[-1]:
            found = [tier.get("up_to") for tier in tiers]
            raise BadCompany(f"{where}: found up_to {found}, expected to rise from over {above} and none in the last")
        priced |= {f"{where}[{place}]": tier.keys() - {"up_to"} for place, tier in enumerate(tiers)}
    for where, names in priced.items():
        if set(names) != currencies:
            raise BadCompany(f"{where}: found {_words(names)}, expected an amount for each of {_words(currencies)}")
    if len({plan["rank"] for plan in plans.values()}) < len(plans):
        raise BadCompany("plans.*.rank: found the same rank twice, expected a rank of its own for each plan")
    if wrong := [name for name in currencies if not re.fullmatch("[a-z]{3}", name)]:
        raise BadCompany(f"currencies: found {_words(wrong)}, expected three small letters")


def _check_weights(company: Company) -> None:
    """Weights add up to something, and name what exists."""
    segments, plans, coupon = company["segments"], company["plans"], company["behaviour"]["coupon"]
    weights = {"currencies": company["currencies"], "segments.*.share": {n: s["share"] for n, s in segments.items()}}
    for name, segment in segments.items():
        if unknown := set(segment["plans"]) - set(plans):
            raise BadCompany(f"segments.{name}.plans: found {_words(unknown)}, expected names of {_words(plans)}")
        weights |= {f"segments.{name}.{what}": segment[what] for what in ("plans", "tiers")}
    for where, weight in weights.items():
        if not sum(weight.values()) > 0:
            raise BadCompany(f"{where}: found weights {weight}, expected a sum above 0")
    if company["behaviour"]["welcome"] and coupon not in company["coupons"]:
        raise BadCompany(f"behaviour.coupon: found {coupon!r}, expected a name of coupons, or behaviour.welcome = 0")
    if sum(kind["per_item_month"] for kind in company["anomalies"].values()) > 1:
        raise BadCompany("anomalies.*.per_item_month: found a sum above 1, expected at most 1")


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
