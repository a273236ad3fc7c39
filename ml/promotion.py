"""Who is champion: moved by the gate, taken back by a person.

A promoted version carries its history as tags: `promoted_at` and `previous` (the champion before it). A rollback tags
the version it leaves with `rolled_back_at` and the one it returns to with `held_until`, a day of data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from ml import registry
from ml.errors import ArtifactIncomplete, CannotPromote, CannotRollBack, NoChampion, NoSuchModel, NoSuchVersion
from ml.registry import CHALLENGER, CHAMPION, Entry, Store

BLOCKED = "blocked"  # value of the tag `gate`: it may have passed, but something stood against promoting anything
HOLD_DAYS = 7  # of data that a rollback keeps `train --if-needed` away: as long as a champion counts as current


def promote(store: Store, entry: Entry, at: datetime) -> None:
    """Make `entry` champion. Its history is written first: a run killed in between leaves the old champion serving."""
    before = registry.find(store, entry.model)
    with registry.reached(store.uri):
        said = {"promoted_at": at.isoformat(), "previous": before.version if before else ""}
        for name, value in said.items():
            store.client.set_model_version_tag(entry.name, entry.version, name, value)
        store.client.set_registered_model_alias(entry.name, CHAMPION, entry.version)


def admit(store: Store, entry: Entry, at: datetime, blocked: str, say: Callable[[str], None]) -> bool:
    """Promote `entry`, unless something stands against it (`blocked`, in words) and a champion serves.

    Then it stays what it is, its tags say why, and a person decides: `by_hand`, or the breach is acknowledged or over
    at the next training. The first champion is exempt: without one nothing could be scored. Returns whether it serves.
    """
    serving = registry.find(store, entry.model)
    if not blocked or serving is None:
        promote(store, entry, at)
        return True
    why = f"blocked: {blocked}; else: {entry.tags.get('gate_reason', '')}"
    with registry.reached(store.uri):
        for name, value in (("gate", BLOCKED), ("gate_reason", why[:2000])):
            store.client.set_model_version_tag(entry.name, entry.version, name, value)
    say(f"{entry.name} version {entry.version}: not promoted ({blocked}); champion stays version {serving.version}.")
    say(f"Acknowledge the alerts, or decide: `python -m ml registry promote {entry.name} {entry.version}`.")
    return False


def by_hand(store: Store, model: str, number: str, features: Sequence[str], at: datetime) -> tuple[Entry | None, Entry]:
    """A person makes version `number` champion whatever the gate said; returns what served and what serves.

    features: all that this code can build. Raises NoSuchVersion, CannotPromote.
    """
    before, found = registry.find(store, model), named(store, model, number)
    why = "it is the champion already" if before and before.version == found.version else ""
    if why := why or unfit(store, found, features):
        raise CannotPromote(model, found.version, why)
    promote(store, found, at)
    with registry.reached(store.uri):
        store.client.set_model_version_tag(found.name, found.version, "promoted_by", "a person")
    return before, found


def unfit(store: Store, found: Entry, features: Sequence[str]) -> str:
    """Why a version could not serve: files that are gone, features that this code no longer builds; empty if it can."""
    try:
        with registry.files(found, store.uri) as folder:
            spec = registry.read_spec(found, folder)
            for head in spec.get("heads", []):
                registry.read_booster(found, folder, head, 1)
            for name in spec.get("frames", []):
                registry.read_frame(found, folder, name)
    except ArtifactIncomplete as error:
        return f"it has no readable {error.what}"
    unknown = sorted(set(spec["features"]) - set(features))
    return f"this code no longer builds its features {', '.join(unknown)}" if unknown else ""


def rollback(
    store: Store, model: str, to: str | None, features: Sequence[str], at: datetime
) -> tuple[Entry, Entry, date]:
    """Make version `to` (default: the champion's predecessor) champion again; returns what served, what serves, and
    until which as-of `train --if-needed` leaves it alone.

    features: all that this code can build. Raises NoChampion, CannotRollBack, NoSuchVersion, ArtifactIncomplete.
    """
    now = registry.champion(store, model)
    number = to or now.tags.get("previous")
    if not number:
        raise CannotRollBack(model, now.version, "it replaced no other champion; name a version with --to")
    found = named(store, model, number)
    if found.version == now.version:
        raise CannotRollBack(model, found.version, "it is the champion already")
    if why := unfit(store, found, features):
        raise CannotRollBack(model, found.version, why)
    newest = max(date.fromisoformat(one.tags["as_of"]) for one, _ in registry.entries(store) if one.name == now.name)
    until = newest + timedelta(days=HOLD_DAYS)
    with registry.reached(store.uri):
        store.client.set_model_version_tag(found.name, found.version, "held_until", until.isoformat())
        store.client.set_model_version_tag(now.name, now.version, "rolled_back_at", at.isoformat())
        store.client.set_registered_model_alias(found.name, CHAMPION, found.version)
    return now, found, until


def held(champion: Entry, as_of: date) -> date | None:
    """The as-of until which a rollback to `champion` holds, if it still does at `as_of`."""
    until = champion.tags.get("held_until")
    if not until or as_of >= date.fromisoformat(until):
        return None
    return date.fromisoformat(until)


def model_named(store: Store, asked: str) -> tuple[Store, str]:
    """Find the registered name `asked` means: the full one, or ours where only one company uses it.

    Returns the store of that company and our name of the model. Raises NoSuchModel with the names there are.
    """
    names = sorted({(one.name, one.model) for one, _ in registry.entries(store)})
    fitting = [(name, model) for name, model in names if asked in (name, model)]
    if len(fitting) != 1:
        raise NoSuchModel(asked, [name for name, _ in names], ambiguous=len(fitting) > 1)
    name, model = fitting[0]
    return Store(store.client, store.uri, name.removeprefix(model)), model


def named(store: Store, model: str, asked: str) -> Entry:
    """A version by its number or alias. Raises NoChampion for an alias nobody carries, NoSuchVersion."""
    if asked in (CHAMPION, CHALLENGER):
        found = registry.find(store, model, asked)
        if found is None:
            raise NoChampion(model)
        return found
    found = registry.version(store, model, asked) if asked.isdigit() else None
    if found is None:
        raise NoSuchVersion(model, asked)
    return found
