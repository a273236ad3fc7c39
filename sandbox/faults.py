"""Failures on demand, by rule or from a file: the answers that make a careless client write twice."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec

from sandbox.draw import uniform
from sandbox.errors import ApiError, SandboxError
from sandbox.refusals import refuse

# before: nothing is done, the idempotency key stays free. replayed: rolled back, but the 500 is stored under the key.
# after, truncated, not_json: committed. stall, skewed_date: by `seconds`. reorder: delivered after the next event.
KINDS = (
    "429", "500_before", "500_replayed", "500_after", "drop_before", "drop_after", "stall", "truncated", "not_json",
    "skewed_date", "webhook_duplicate", "webhook_reorder",
)  # fmt: skip
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
        raise refuse("fault", error=error) from error
    if unknown := [rule.kind for rule in rules if rule.kind not in KINDS]:
        raise refuse("fault_kind", "kind", kind=unknown[0], kinds=", ".join(KINDS))
    return rules


def read_file(path: Path) -> Faults:
    """A script, TOML or JSON: `seed`, and a list of rules named `fault` (README). Raises SandboxError."""
    try:
        text = path.read_text()
        given = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
        return Faults(rules_of({"fault": given["fault"]}), int(given.get("seed", 0)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, msgspec.MsgspecError, ApiError) as error:
        raise SandboxError(f"{path} is no script of faults ({error}): see `python -m sandbox faults --help`") from error
