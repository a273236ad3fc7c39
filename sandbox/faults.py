"""Failures on demand, by rule or from a file: the answers that make a careless client write twice."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec

from sandbox.draw import uniform
from sandbox.errors import ApiError, BadFaults, refusal

KINDS = {
    "429": "refused by a rate limiter, nothing done",
    "500_before": "nothing done, the idempotency key stays free",
    "500_replayed": "rolled back, but the 500 is stored under the key and replayed",
    "500_after": "committed, and the 500 is stored under the key and replayed",
    "drop_before": "the connection is cut, nothing done",
    "drop_after": "committed, then the connection is cut",
    "stall": "the answer takes `seconds`; the key is in use meanwhile",
    "truncated": "committed; half of the body comes, then the connection is cut",
    "not_json": "committed; 200 with a page of HTML, as from a proxy",
    "skewed_date": "the `Date` header is off by `seconds`",
    "webhook_duplicate": "an event is delivered twice",
    "webhook_reorder": "an event is delivered after the next one",
}
Count = Annotated[int, msgspec.Meta(ge=0)]


class Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """match: a glob over `POST /v1/customers/cus_1`, or over the event type for webhooks. times: 0 for ever. after: so
    many matches pass first. probability: of each match after those, drawn from the seed. reason: a 429's limiter."""

    match: str
    kind: str
    times: Count = 1
    after: Count = 0
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seconds: float = 30.0
    reason: str = "global-rate"
    seen: Count = 0
    fired: Count = 0


NO_RULE = Rule(match="", kind="")


class Faults:
    """The rules of one server process; of those that match a request, the first that has its turn is met."""

    def __init__(self, rules: list[Rule] | None = None, seed: int = 0) -> None:
        self.rules, self.seed = rules or [], seed

    def take(self, line: str, *, webhook: bool = False) -> Rule:
        """The rule that this request (`METHOD /path`) or webhook (its event type) runs into, counted; else NO_RULE."""
        for place, rule in enumerate(self.rules):
            is_meant = rule.kind.startswith("webhook_") == webhook and fnmatchcase(line, rule.match)
            if not is_meant or (rule.times and rule.fired >= rule.times):
                continue
            rule.seen += 1
            if rule.seen > rule.after and uniform(self.seed, "fault", place, rule.seen) < rule.probability:
                rule.fired += 1
                return rule
        return NO_RULE


def rules_of(given: object) -> list[Rule]:
    """The rules in `{"fault": [rules]}`, or the one rule given; raises ApiError (400) for what is none."""
    rows = given.get("fault", [given]) if isinstance(given, dict) else [given]
    try:
        rules = msgspec.convert(rows, list[Rule])
    except msgspec.ValidationError as error:
        raise refusal("fault", error=error) from error
    if unknown := [rule.kind for rule in rules if rule.kind not in KINDS]:
        raise refusal("fault_kind", kind=unknown[0], kinds=", ".join(KINDS), param="kind")
    return rules


def read_file(path: Path) -> Faults:
    """A script, TOML or JSON: `seed`, and a list of rules named `fault` (README). Raises BadFaults."""
    try:
        text = path.read_text()
        given = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
        return Faults(rules_of({"fault": given["fault"]}), int(given.get("seed", 0)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, msgspec.MsgspecError, ApiError) as error:
        raise BadFaults(f"{path} is no script of faults ({error}): see `python -m sandbox faults --help`") from error
