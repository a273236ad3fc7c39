"""The limits of policy.toml. Unknown means no: a kind, a currency or a key that is not named is denied."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from actions.errors import BadPolicy
from actions.ids import canon, digest

POLICY_FILE = Path(__file__).with_name("policy.toml")
_KEYS = {"version", "allowed_kinds", "max_amount_minor"}


@dataclass(frozen=True)
class Policy:
    """caps: kind -> currency -> most minor units in one action. hash: of the content, not of the comments."""

    allowed_kinds: frozenset[str]
    caps: dict[str, dict[str, int]]
    hash: str

    def denial(self, kind: str, currency: str, amount_minor: int) -> str | None:
        """Why this is not allowed, or None. amount_minor: exposure, positive minor units."""
        if kind not in self.allowed_kinds:
            return f"policy allows no {kind}"
        if amount_minor < 0:
            return f"an exposure of {amount_minor} is not an amount"
        if kind not in self.caps:
            return None
        cap = self.caps[kind].get(currency)
        if cap is None:
            return f"policy has no limit for {kind} in {currency}"
        return f"{amount_minor} is over the limit of {cap} minor units of {currency}" if amount_minor > cap else None


def read_policy(path: Path = POLICY_FILE) -> Policy:
    """Raises BadPolicy on a key, kind of value or version that is not part of the rule set."""
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadPolicy(f"{path} cannot be read: {error}; correct it") from error
    if set(found) != _KEYS or found["version"] != 1:
        raise BadPolicy(f"{path} has the keys {sorted(found)}, expected {sorted(_KEYS)} and version 1; correct it")
    kinds, caps = found["allowed_kinds"], found["max_amount_minor"]
    amounts = [amount for table in caps.values() for amount in table.values()]
    if not all(isinstance(kind, str) for kind in kinds) or not all(type(amount) is int for amount in amounts):
        raise BadPolicy(f"{path}: allowed_kinds are names, limits are whole minor units; correct it")
    return Policy(frozenset(kinds), caps, digest(canon(found)))
