"""From published recommendations to immutable plans. Nothing here talks to Stripe."""

import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from actions.clock import Clock
from actions.errors import BadRecommendation, Locked, NotPublished
from actions.executors import for_kind
from actions.ids import action_id, canon, digest
from actions.ledger import Event, Ledger
from actions.policy import Policy
from actions.state import IN_FLIGHT, OPEN, Action, Actor, current, load, load_all

OPEN_TRIES, OPEN_WAIT_S = 5, 7.5  # 30 s in all (actions.md R10): a publication replaces the file within one second
_COLUMNS = (
    "account_id, recommendation_id, livemode, kind, customer_id, subscription_id, currency, amount_minor, params, "
    "precondition, reason, evidence, model_version, expected_value_minor, expected_value_low_minor, "
    "expected_value_high_minor, expires_at, is_held_back"
)
_QUERY = (
    f"SELECT {_COLUMNS} FROM marts.recommendations ORDER BY expected_value_minor DESC NULLS LAST, recommendation_id"  # noqa: S608 - the names are the constant above
)
_NUMBERS = ("model_version", "expected_value_minor", "expected_value_low_minor", "expected_value_high_minor")


@dataclass(frozen=True)
class Publication:
    """The published warehouse: whose it is, its last covered UTC day, and its recommendations, best first."""

    run_id: str
    as_of: date
    account_id: str
    livemode: bool
    recommendations: list[dict[str, Any]]

    @property
    def now(self) -> datetime:
        """The warehouse's time: recommendations expire by it, the wall clock may be years away from it."""
        return datetime(self.as_of.year, self.as_of.month, self.as_of.day, tzinfo=UTC)


@dataclass
class Report:
    """What `plan` did: new plans with the published reason, and how many recommendations were left and why."""

    new: list[tuple[Action, str]] = field(default_factory=list)
    left: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def read_publication(path: Path, clock: Clock) -> Publication:
    """Raises NotPublished without a published file, Locked when another process keeps writing it."""
    import duckdb

    if not path.exists():
        raise NotPublished(f"{path} does not exist; run `make run` first")
    for left in reversed(range(OPEN_TRIES)):
        try:
            with duckdb.connect(str(path), read_only=True) as db:
                head = db.execute("SELECT run_id, as_of, account_id, livemode FROM meta.publication").fetchone()
                found = db.execute(_QUERY)
                names = [column[0] for column in found.description or []]
                rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            break
        except duckdb.CatalogException as error:
            raise NotPublished(f"{path} has no recommendations in it; run `make run` first") from error
        except duckdb.Error as error:
            if "lock" not in str(error):
                raise NotPublished(f"{path} cannot be read ({str(error)[:200]}); run `make run` again") from error
            if not left:
                holder = re.search(r"PID \d+", str(error))
                raise Locked(f"{path} is held by {holder[0] if holder else 'another process'}; try again") from error
            clock.sleep(OPEN_WAIT_S)
    if head is None:
        raise NotPublished(f"{path} was never published completely; run `make run` first")
    return Publication(str(head[0]), head[1], str(head[2]), bool(head[3]), rows)


def make_plans(
    ledger: Ledger, found: Publication, policy: Policy, actor: Actor, kind: str | None = None, limit: int | None = None
) -> Report:
    """Writes a plan for every recommendation that has none like it, and ends the plans that are not wanted any more.

    kind: only this one. limit: at most so many new plans. One transaction.
    Raises BadRecommendation, before anything is written, when a row breaks its contract.
    """
    report, wanted = Report(), {}
    for row in found.recommendations:
        if kind in (None, row["kind"]):
            refusal = _refusal(row, found, policy)
            if refusal:
                report.left[refusal] += 1
                continue
            if row["recommendation_id"] in wanted:
                raise BadRecommendation(
                    f"recommendation {row['recommendation_id']} is there twice; run `make run` again"
                )
            wanted[row["recommendation_id"]] = (row, _content(row, found, policy))
    with ledger.write():
        history: defaultdict[str, list[Action]] = defaultdict(list)
        for action in load_all(ledger):
            history[action.recommendation_id].append(action)
        for action in current(action for actions in history.values() for action in actions):
            if action.recommendation_id not in wanted and action.state in OPEN and kind in (None, action.kind):
                ledger.append(action.event("superseded", actor, "Not recommended any more.", {"run_id": found.run_id}))
        for recommendation_id, (row, content) in wanted.items():
            earlier = history[recommendation_id]
            standing = _standing(earlier, content, found)
            if standing or (limit is not None and len(report.new) >= limit):
                report.left[standing or "over the limit"] += 1
                continue
            if earlier and earlier[-1].state in (*OPEN, "expired"):
                end = "superseded" if earlier[-1].state in OPEN and not earlier[-1].is_past(found.now) else "expired"
                ledger.append(earlier[-1].event(end, actor, "A newer plan takes its place.", {"run_id": found.run_id}))
            planned = ledger.append(_planned(row, content, len(earlier), found, actor))
            report.new.append((load(ledger, planned.action_id or ""), str(row["reason"])))
    return report


def _refusal(row: dict[str, Any], found: Publication, policy: Policy) -> str | None:
    if row["is_held_back"]:
        return "held back as a control group"
    if row["expires_at"] is not None and row["expires_at"].replace(tzinfo=UTC) <= found.now:
        return "expired"
    return policy.denial(row["kind"], row["currency"], row["amount_minor"] or 0)


def _standing(earlier: list[Action], content: dict[str, Any], found: Publication) -> str | None:
    """Why a recommendation with these earlier plans gets no new one; None when it does."""
    states = {action.state for action in earlier}
    if "done" in states:
        return "done already"
    if states & set(IN_FLIGHT):
        return "sent, end unknown: run apply"
    if not earlier or earlier[-1].plan["content_hash"] != digest(canon(content)):
        return None
    last = earlier[-1]
    if last.state in OPEN:
        return None if last.is_past(found.now) else "planned already"
    if last.state == "refused":  # the same facts from the same publication would be refused again
        return "refused already" if last.plan["run_id"] == found.run_id else None
    return f"{last.state} already" if last.state in ("declined", "failed") else None


def _content(row: dict[str, Any], found: Publication, policy: Policy) -> dict[str, Any]:
    """Everything an approval binds to. Evidence and scores are not part of it: a daily rebuild must not void it."""
    name = row["recommendation_id"]
    if (row["account_id"], row["livemode"]) != (found.account_id, found.livemode):
        raise BadRecommendation(f"{name} is of account {row['account_id']}, the publication of {found.account_id}")
    if row["amount_minor"] is None or row["amount_minor"] < 0:
        raise BadRecommendation(f"{name} has the exposure {row['amount_minor']}, expected 0 or more minor units")
    try:
        params, precondition = json.loads(row["params"]), json.loads(row["precondition"])
        step = for_kind(row["kind"]).plan(row["kind"], row["amount_minor"], params, precondition)
        known = ("recommendation_id", "account_id", "livemode", "kind", "customer_id", "subscription_id")
        content = {key: row[key] for key in (*known, "currency", "amount_minor")}
        content |= {"steps": [asdict(step)], "precondition": precondition, "policy_hash": policy.hash}
        canon(content)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecommendation(f"{name} cannot be read: {error!r}; run `make run` again") from error
    for key in ("customer", "currency", "livemode"):
        if precondition.get(key) != row["customer_id" if key == "customer" else key]:
            raise BadRecommendation(f"{name}: the {key} of its precondition is not its own; run `make run` again")
    return content


def _planned(row: dict[str, Any], content: dict[str, Any], round_: int, found: Publication, actor: Actor) -> Event:
    # The count of earlier plans is hashed too: facts that come back get a new plan, never an old approval.
    plan_hash = digest(canon(content | {"round": round_}))
    numbers = {key: None if row[key] is None else str(row[key]) for key in _NUMBERS}
    amount = f"{row['amount_minor']} minor units of {row['currency']}"
    reason = f"{row['kind']} of {amount}; " + ", ".join(f"{key} {value}" for key, value in numbers.items())
    body = {
        "recommendation_kind": row["kind"], "reason": reason, "steps": content["steps"],
        "precondition": content["precondition"], "plan_hash": plan_hash, "content_hash": digest(canon(content)),
        "round": round_, "policy_hash": content["policy_hash"], "evidence_hash": digest(str(row["evidence"])),
        "as_of": found.as_of.isoformat(), "run_id": found.run_id,
        "expires_at": None if row["expires_at"] is None else row["expires_at"].isoformat(),
    }  # fmt: skip
    columns = {key: content[key] for key in ("recommendation_id", "account_id", "livemode", "customer_id")}
    return Event(
        kind="planned", action_id=action_id(row["recommendation_id"], plan_hash), plan_hash=plan_hash,
        subscription_id=row["subscription_id"], currency=row["currency"], amount_minor=row["amount_minor"],
        actor=actor.name, actor_assurance=actor.assurance, reasoning=reason, body=canon(body), **columns,
    )  # fmt: skip
