"""What proves the ledger and what brings it back. Stripe is the witness: what this runner did carries its tags."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from actions import errors
from actions.chain import check_chain, read_head, write_head
from actions.clock import Clock
from actions.ids import canon
from actions.ledger import COLUMNS, Event, Ledger, begin, create
from actions.port import StripeReader
from actions.state import Actor

FORMAT = "meterwise ledger 1"
# Of everything that can carry tags; the events of the last 30 days (Stripe keeps no more) come last.
LISTS = ["subscriptions", "subscription_schedules", "quotes", "credit_notes", "billing/credit_grants", "billing/alerts"]
LISTS += ["prices", "invoices", "customers", "events"]
_MADE = """SELECT made.object_id, json_extract(sent.body, '$.path'), made.customer_id, made.seq FROM event AS made
LEFT JOIN event AS sent ON sent.action_id = made.action_id AND sent.step = made.step AND sent.kind = 'intent'
WHERE made.kind IN ('outcome', 'reconciled') AND made.object_id > '' GROUP BY made.seq"""
_ACTION = re.compile(r"h1:[0-9a-f]{32}-[0-9a-f]{8}")
_HASH = re.compile(r"h1:[0-9a-f]{64}")
_LOST: dict[str, Any] = dict.fromkeys(("content_hash", "policy_hash", "evidence_hash", "as_of", "run_id"), "")
_LOST |= {"recommendation_kind": "unknown", "reason": "found in Stripe", "steps": [], "precondition": {}, "round": 0}
_LOST |= {"expires_at": None, "recovered": True}


def verify(ledger: Ledger) -> int:
    """Checks the file, the head, the numbering and every hash; returns the number of events. Raises LedgerAltered."""
    [(health,)] = ledger.query("PRAGMA integrity_check(1)")
    if health != "ok":
        raise errors.LedgerAltered(f"SQLite finds the file damaged ({health}); restore it from a backup")
    return ledger.check()


def verify_with_stripe(ledger: Ledger, port: StripeReader) -> list[str]:
    """Every tagged object must have an intent, and every outcome its object: a sentence for each that has none.

    Reads all objects that can carry tags: some GETs for each customer. Raises StripeUnusable, WrongAccount.
    """
    sent = set(ledger.query("SELECT action_id, step FROM event WHERE kind IN ('intent', 'reconciled')"))
    there, wrong = set(), {}
    for found, _ in _witnesses(ledger, port):
        there.add(found.get("id"))
        if (tag := _tag(found)) and tag not in sent:
            wrong[tag] = f"{found['object']} {found['id']} carries {tag[0]}, step {tag[1]}: this ledger sent no such"
    for made, path, customer, seq in ledger.query(_MADE):
        # Archived alerts are in no list, and what a deleted customer had cannot be read any more.
        is_there = made in there or (path and port.read(f"{path}/{made}"))
        if not is_there and not (customer and (port.read(f"/v1/customers/{customer}") or {}).get("deleted")):
            wrong[made, seq] = f"event {seq} says that {made} was made or changed, and Stripe has no such object"
    return list(wrong.values())


def export(ledger: Ledger, out: TextIO) -> int:
    """Writes JSON Lines: a header, then every column of every event; the number of events."""
    last = ledger.last()
    out.write(json.dumps({"format": FORMAT, "events": last.seq, "hash": last.hash}) + "\n")
    for row in ledger.rows("seq <= ?", last.seq):
        out.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")
    return last.seq


def restore(lines: Iterable[str], path: Path, head: Path, clock: Clock) -> int:
    """Makes the ledger that `export` wrote, where there is none; the number of events.

    It is put in place when every hash and the header fit. A head that is there stays: it tells whether events that
    came after the export are missing. Raises LedgerThere, NotAnExport, LedgerAltered.
    """
    if path.exists():
        raise errors.LedgerThere(f"{path} is there and is not overwritten; move it away, or set METERWISE_DATA")
    fresh, fresh_head, rows = path.with_name("restoring.sqlite"), path.with_name("restoring.json"), iter(lines)
    for left in path.parent.glob("restoring.*"):
        left.unlink()
    create(fresh)
    ledger = Ledger(fresh, fresh_head, clock)
    try:
        header = json.loads(next(rows, ""))
        with ledger.write():
            for found in map(json.loads, rows):
                ledger.insert(tuple(found[name] for name in COLUMNS))
            last = ledger.last()
            if [header["format"], header["events"], header["hash"]] != [FORMAT, last.seq, last.hash]:
                raise ValueError(f"it ends at event {last.seq}, its header says {header}")
    except (ValueError, KeyError, TypeError) as error:
        raise errors.NotAnExport(f"this is no whole export of a ledger ({error!r}); nothing was restored") from error
    ledger.check()
    ledger.close()
    if read_head(head) is None:
        write_head(head, last)
    os.rename(fresh, path)
    fresh_head.unlink()
    return last.seq


def recover(ledger: Ledger, port: StripeReader, actor: Actor) -> int:
    """Accepts an old copy of the ledger, after it has learned from Stripe what was done since; how much that was.

    ledger: opened despite_damage; it may be behind its head, empty (ledger.create), or restored together with an old
    head. Every tagged object that it does not know becomes `reconciled`, so that nothing is done a second time; what
    was only planned, approved or declined is lost. Killed in between, it can be run again.
    Raises NothingToDo, LedgerAltered for any other damage, StripeUnusable, WrongAccount.
    """
    if ledger.damage and not isinstance(ledger.damage, errors.LedgerBehind):
        raise ledger.damage
    lost, account = str(ledger.damage or ""), port.read("/v1/account") or {}
    check_chain(ledger.rows() if ledger.last().seq else [])
    ledger.damage = None
    if not ledger.last().seq:
        livemode = any(found["livemode"] for found in islice(port.list("/v1/customers"), 1))
        begin(ledger, account.get("id", ""), livemode, actor.name)
    done = set(ledger.query("SELECT action_id, step FROM event WHERE kind IN ('outcome', 'reconciled')"))
    # Events come newest first, so the one that stays is the earliest that shows the tags: the change itself.
    found = {tag: (seen, at) for seen, at in _witnesses(ledger, port) if (tag := _tag(seen)) and tag not in done}
    if not found and not lost:
        raise errors.NothingToDo(f"{ledger.path} knows all that was done in Stripe; there is nothing to recover")
    with ledger.write():
        for (action_id, step), (seen, at) in sorted(found.items()):
            _import(ledger, actor, action_id, step, seen, at)
        body = {"why": lost, "imported": len(found)}
        _append(ledger, actor, "restored", "What the ledger had lost is lost; Stripe was asked.", body)
    write_head(ledger.head_path, ledger.last(), is_forced=True)
    return len(found)


def _import(ledger: Ledger, actor: Actor, action_id: str, step: int, seen: dict[str, Any], at: int | None) -> None:
    owner = seen["id"] if seen.get("object") == "customer" else seen.get("customer")
    about: dict[str, Any] = {"action_id": action_id, "recommendation_id": action_id.rpartition("-")[0]}
    plan_hash = _HASH.fullmatch(str((seen.get("metadata") or {}).get("meterwise_plan")))  # anybody may type there
    about |= {"plan_hash": plan_hash and plan_hash[0], "customer_id": owner}
    if not ledger.query("SELECT 1 FROM event WHERE action_id = ? AND kind = 'planned'", action_id):
        _append(ledger, actor, "planned", "Its plan is lost.", _LOST | {"plan_hash": about["plan_hash"]}, **about)
    about |= {"step": step, "object_id": seen["id"]}
    body = {"object_id": seen["id"], "object": seen.get("object"), "server_at": at, "recovered": True}
    _append(ledger, actor, "reconciled", "Found in Stripe by its tags.", body, **about)


def _append(ledger: Ledger, actor: Actor, kind: str, reasoning: str, body: dict[str, Any], **columns: Any) -> None:
    columns |= {"actor": actor.name, "actor_assurance": actor.assurance, "reasoning": reasoning, "body": canon(body)}
    account_id, livemode = ledger.account()
    ledger.append(Event(kind=kind, account_id=account_id, livemode=livemode, **columns))


def _witnesses(ledger: Ledger, port: StripeReader) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Every object that may carry tags as it is now, and as events show it, with the event's time in unix seconds.

    A later action overwrites the tags on a subscription; the events still have the earlier ones.
    """
    ours, account = ledger.account(), (port.read("/v1/account") or {}).get("id")
    for name in LISTS:
        for found in port.list(f"/v1/{name}", {"status": "all"} if name == "subscriptions" else None):
            if (account, found.get("livemode", ours[1])) != ours:
                raise errors.WrongAccount(f"the key opens {account}, the ledger is of {ours[0]} or of another mode")
            yield (found["data"]["object"], found["created"]) if name == "events" else (found, None)
            if name == "customers":
                yield from ((made, None) for made in port.list(f"/v1/customers/{found['id']}/balance_transactions"))


def _tag(found: dict[str, Any]) -> tuple[str, int] | None:
    """Action and step that an object carries: in its metadata, or an alert, which has none, in its title."""
    metadata = found.get("metadata") or {}
    action = _ACTION.search(str(metadata.get("meterwise_action") or found.get("title") or ""))
    step = str(metadata.get("meterwise_step", "0"))
    return (action[0], int(step)) if action and step.isdecimal() and found.get("id") else None
