"""The routes under /_sandbox/, which Stripe does not have: faults, the clock, restricted keys, and how things stand."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from sandbox import engine, keys, state
from sandbox.clock import DAY, HOUR
from sandbox.errors import ApiError, SandboxError
from sandbox.faults import Faults, rules_of
from sandbox.refusals import refuse
from sandbox.store import Store

LONGEST = 3650 * DAY  # one advance
ROUTES = ("GET status", "POST advance", "POST keys", "GET faults", "POST faults")


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """How far to advance. to: Unix seconds, or an ISO 8601 time (UTC unless it says otherwise)."""

    seconds: int = 0
    hours: int = 0
    days: int = 0
    to: int | str | None = None


def answer(store: Store, faults: Faults, route: str, body: bytes) -> Any:
    """What a route of ROUTES answers to a JSON body; raises ApiError (404, or 400 for a body it does not take)."""
    try:
        if route == "GET status":
            counts = store.db.execute("select kind, count(*) from object group by kind order by kind").fetchall()
            return {"now": store.account_now, "seed": store.seed, "objects": dict(counts)}
        if route == "POST advance":
            engine.advance(store, _target(store.account_now, msgspec.json.decode(body, type=Step)))
            return {"now": store.account_now}
        if route == "POST keys":
            given = msgspec.json.decode(body, type=keys.Registration)
            keys.register(store, given)
            return given
        if route == "POST faults":
            rules = msgspec.json.decode(body)
            faults.rules = [] if rules == {"clear": True} else faults.rules + rules_of(rules)
    except msgspec.MsgspecError as error:
        raise refuse("hidden_body", route=route, error=error) from error
    if route not in ROUTES:
        raise refuse("hidden_route", route=route, routes=", ".join(ROUTES))
    return faults.rules


def _target(now: int, step: Step) -> int:
    """The moment meant, in Unix seconds."""
    until = step.to if step.to is not None else now + step.seconds + step.hours * HOUR + step.days * DAY
    try:
        if isinstance(until, str):
            at = datetime.fromisoformat(until)
            until = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except ValueError as error:
        raise refuse("time", "to", text=until) from error
    if not now < until <= now + LONGEST:
        raise refuse("clock", now=now, until=until)
    return until


def ask(url: str | None, folder: Path, route: str, given: object = None) -> Any:
    """The JSON that a route answers: of a running server, or without a URL of the state folder.

    Raises SandboxError for what the route refuses, and where there is no server or no state.
    """
    body, is_read = json.dumps(given).encode(), given is None
    try:
        if url is None:
            with nullcontext() if is_read else state.hold(folder):
                return answer(state.open_store(folder, read_only=is_read), Faults(), route, body)
        if not url.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
            raise SandboxError(f"{url} is no sandbox on this machine: give the URL that `sandbox serve` printed")
        request = Request(f"{url.rstrip('/')}/_sandbox/{route.split()[1]}", None if is_read else body)  # noqa: S310 # checked
        with urlopen(request) as answered:  # noqa: S310 # checked
            return json.load(answered)
    except ApiError as error:
        raise SandboxError(error.message) from error
    except HTTPError as error:
        raise SandboxError(json.load(error)["error"]["message"]) from error
    except (OSError, ValueError) as error:
        raise SandboxError(f"no sandbox answers at {url} ({error}): start `python -m sandbox serve`") from error
