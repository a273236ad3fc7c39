"""What may be done by itself, with a person's word, or not at all: policy.toml. What is not known is denied."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from actions.errors import BadPolicy
from actions.executors import KINDS
from actions.ids import canon, digest

POLICY_FILE = Path(__file__).with_name("policy.toml")
KEYS_FILE = Path(__file__).with_name("policy_keys.toml")
PHASES = ("shadow", "assisted", "auto")
_FIELDS = {"kinds": "kind", "tiers": "tier", "segments": "segment", "currencies": "currency"}
_TIGHTEN = {"over", "under"}
_FITS: dict[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str) and bool(value.strip()),
    "a whole number": lambda value: type(value) is int and value >= 0,
    "a number from 1": lambda value: type(value) is int and value >= 1,
    "a number": lambda value: type(value) in (int, str) and (_number(value) or 0) >= 0 and _number(value) is not None,
    "a share from 0 to 1": lambda value: (share := _number(value)) is not None and 0 <= share <= 1,
    "true": lambda value: value is True,
    "true or false": lambda value: isinstance(value, bool),
    "shadow or assisted": lambda value: value in PHASES[:2],  # nothing begins in auto: it is earned
}


@dataclass(frozen=True)
class Verdict:
    """approvers: distinct people; 0 where a rule needs none once the kind is in phase auto; None when denied, and
    `denial` says by what. hours: how long an approval is good. rules: those that apply. reasoning: a sentence a rule.
    """

    approvers: int | None
    hours: int
    rules: tuple[str, ...]
    reasoning: tuple[str, ...]
    denial: str | None


@dataclass(frozen=True)
class Policy:
    """policy.toml, checked; each field but the last two is the table of that name. Numbers with a point are text.

    known: tier, segment and currency → the values that exist. hash: of the content, not of the comments.
    """

    rule: list[dict[str, Any]]
    caps: dict[str, Any]
    brake: dict[str, Any]
    phase: dict[str, str]
    promotion: dict[str, dict[str, Any]]
    approval: dict[str, Any]
    known: dict[str, list[str]]
    hash: str

    def judge(self, case: Mapping[str, object]) -> Verdict:
        """case: kind, tier, segment, currency, amount_minor, pct_change, risk, margin; any of them may be anything.

        Every rule of the kind is looked at, the strictest wins: denied, more people, fewer hours. A rule with `over`
        or `under` only tightens: without another one that applies, the answer is no.
        """
        hours, rules, reasoning, is_allowed = self.approval["hours"], [], [], False
        asked = [(0, hours)]
        # Caps are sums of amounts in a currency, so no case is without.
        needed = [field for field in ("currency", "amount_minor") if self._fact(case, field) is None]
        denials = [f"its {field} is not known" for field in needed]
        for rule in self.rule:
            if case.get("kind") not in rule["when"]["kinds"]:
                continue
            name, then, (applies, faults, facts) = rule["name"], rule["then"], self._read(rule, case)
            says = "does not apply"
            if applies:
                faults += ["never"] * ("deny" in then)
                denials += [f"rule {name!r}: {fault}" for fault in faults]
                rules.append(name)
                asked.append((then.get("approvers", 0), then.get("hours", hours)))
                is_allowed |= not _tightens(rule)
                says = "denied" if faults else f"{asked[-1][0] or 'no'} approver(s), {asked[-1][1]} h"
            seen = facts + faults if applies else facts
            reasoning.append(f"{name}: {'; '.join(seen) or 'always'}: {says}")
        if not is_allowed and not denials:
            kind = case.get("kind")
            denials = [f"no rule allows a {kind[:40] if isinstance(kind, str) else 'thing'} like this"]
        approvers = None if denials else max(people for people, _ in asked)
        shortest = min(time for _, time in asked)
        return Verdict(approvers, shortest, tuple(rules), tuple(reasoning), denials[0] if denials else None)

    def _fact(self, case: Mapping[str, object], field: str) -> Any:
        """A known text, or a finite number (of an amount a whole one from 0); None for all else."""
        value = case.get(field)
        if field in self.known:
            return value if value in self.known[field] else None
        number = _number(value)
        is_amount = number is not None and number >= 0 and number == number.to_integral_value()
        return number if is_amount or field != "amount_minor" else None

    def _read(self, rule: dict[str, Any], case: Mapping[str, object]) -> tuple[bool, list[str], list[str]]:
        """Whether the rule applies, what in the case it then cannot accept, and the facts with what it asks of them.
        What it asks about and nobody knows may be anything, so it applies.
        """
        applies, faults, facts = True, [], []
        for key, bound in rule["when"].items():
            field = _FIELDS.get(key, key)
            if field == "kind":
                continue
            fact = self._fact(case, field)
            asks = bound if isinstance(bound, list) else [f"{word} {limit}" for word, limit in bound.items()]
            facts.append(f"{field} {str(fact)[:40]} ({', '.join(asks)})")
            if fact is None:
                faults.append(f"its {field} is not known")
            elif isinstance(bound, list):
                applies &= fact in bound
            else:
                size = fact.copy_abs() if field == "pct_change" else fact  # a fall by 30 % is as large as a rise
                for word, limit in bound.items():
                    is_beyond = size < Decimal(limit) if field == "margin" else size > Decimal(limit)
                    applies &= is_beyond or word not in _TIGHTEN
                    faults += [f"its {field} may be {word} {limit}"] * (is_beyond and word not in _TIGHTEN)
        return applies, faults, facts


def read_policy(path: Path = POLICY_FILE) -> Policy:
    """Raises BadPolicy on a key, a kind of value or a version that is not part of the rule set."""
    try:
        found = tomllib.loads(path.read_text(), parse_float=str)
        _check(found, tomllib.loads(KEYS_FILE.read_text()), path.name)
        caps, fingerprint = found["caps"], digest(canon(found))
        known = found.pop("known") | {"currencies": sorted(caps["day"]["amount_minor"])}
        _require(found.pop("version") == 2, "version", "2")
        for cap in (caps["customer_in_30_days"], *caps.get("kind_in_a_day", {}).values()):
            _require(sorted(cap["amount_minor"]) == known["currencies"], "caps", "the same currencies in every cap")
        named = {kind for rule in found["rule"] for kind in rule["when"]["kinds"]}
        _require(set(caps.get("kind_in_a_day", {})) <= named, "caps", "kinds that a rule names")
        names = [rule["name"] for rule in found["rule"]]
        _require(len(set(names)) == len(names), "rule", "a name of its own for each")
        for rule in found["rule"]:
            _check_rule(rule["name"], rule["when"], rule["then"], known)
    except (OSError, ValueError) as error:
        raise BadPolicy(f"{path} is not a policy: {error}; correct it") from error
    return Policy(**found, known={_FIELDS[key]: values for key, values in known.items()}, hash=fingerprint)


def _check(found: Any, shape: Any, where: str) -> None:
    if isinstance(shape, dict):
        _require(isinstance(found, dict) and bool(found), where, "a table that is not empty")
        missing = [key for key in shape if key[-1] not in "?*" and key not in found]
        _require(not missing, where, f"also {', '.join(missing)}")
        for key, value in found.items():
            part = shape.get(key, shape.get(f"{key}?", shape.get("*"))) if key.isidentifier() else None
            _require(part is not None, f"{where}.{key}", f"only {', '.join(name.rstrip('?') for name in shape)}")
            _check(value, part, f"{where}.{key}")
    elif isinstance(shape, list):
        _require(isinstance(found, list) and bool(found), where, "a list that is not empty")
        for value in found:
            _check(value, shape[0], where)
    else:
        _require(_FITS[shape](found), where, shape)


def _check_rule(name: str, when: dict[str, Any], then: dict[str, Any], known: dict[str, list[str]]) -> None:
    for key, values in (known | {"kinds": sorted(KINDS)}).items():  # a misspelt one in a `deny` would deny nothing
        _require(set(when.get(key, [])) <= set(values), f"{name}.{key}", f"some of {', '.join(values)}")
    _require("amount_minor" not in when or "currencies" in when, name, "currencies beside an amount in minor units")
    _require(len({"deny", "auto", "approvers"} & set(then)) == 1, name, "one of deny, approvers and auto in `then`")
    _require("hours" not in then or "approvers" in then, name, "hours beside approvers only")


def _require(is_met: bool, where: str, expected: str) -> None:
    if not is_met:
        raise ValueError(f"{where}: expected {expected}")


def _tightens(rule: dict[str, Any]) -> bool:
    return any(_TIGHTEN & set(bound) for bound in rule["when"].values() if isinstance(bound, dict))


def _number(value: object) -> Decimal | None:
    """A finite number, also from text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value) if isinstance(value, float) else value)
    except (ValueError, InvalidOperation):
        return None
    return found if found.is_finite() else None
