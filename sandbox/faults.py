"""Failures on demand, for tests of clients: the answers that make a careless client write twice."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sandbox.errors import ApiError

KINDS = ("429", "500_before", "500_after", "drop_before", "drop_after", "stall")


@dataclass
class Rule:
    """`match` begins the request line (`POST /v1/customers`); the rule fires `times` times. `seconds` is for stalls."""

    match: str
    kind: str
    times: int = 1
    seconds: float = 30.0


class Faults:
    """The rules of one server process, first match first."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, given: dict[str, Any]) -> None:
        """Take a rule from JSON; raises ApiError for an unknown kind or no match."""
        if given.get("kind") not in KINDS or not given.get("match"):
            raise ApiError(400, f"a fault needs `match` and a `kind` of {', '.join(KINDS)}", param="kind")
        times, seconds = int(given.get("times", 1)), float(given.get("seconds", 30))
        self.rules.append(Rule(str(given["match"]), str(given["kind"]), times, seconds))

    def take(self, line: str) -> Rule | None:
        """The rule that this request runs into, counted down."""
        for rule in self.rules:
            if line.startswith(rule.match) and rule.times > 0:
                rule.times -= 1
                return rule
        return None


async def drop(scope: Any) -> None:
    """Close the connection with no answer; what is sent afterwards goes nowhere."""
    scope["sandbox.transport"].abort()
    await asyncio.sleep(0.01)  # let the loop tell the server that the peer is gone


def server_error() -> ApiError:
    return ApiError(500, "An unknown error occurred", kind="api_error")


def rate_limited() -> ApiError:
    return ApiError(429, "Request rate limit exceeded.", code="rate_limit")
