"""What of each kind is read in one load: its whole list, or what changed since the last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.crew import Crew
from dlt_pipelines.errors import SettingMissing
from dlt_pipelines.events import News, rereads_now
from dlt_pipelines.objects import KindReader
from dlt_pipelines.state import reading_list
from dlt_pipelines.stripe_api import KINDS, PAGE, Kind

GAP = timedelta(days=28)  # without a load: events are kept for 30 days, and two are for the load itself
NEW = 3  # objects made since the last load from which listing them costs less than asking for each

FIRST, ANEW, GAPPED, WEEKLY, WHOLE, CHANGES, SKIPPED = "first", "anew", "gap", "weekly", "whole", "changes", "skipped"
_WORDS = {
    FIRST: "this is the first load: every list is read whole",
    ANEW: "more is read than by the loads before: every list is read whole",
    GAPPED: "the last load is over 28 days ago and Stripe keeps events for 30: every list is read whole",
}


@dataclass
class Plan:
    """How each kind is read. how: table → first, anew, gap, weekly, whole (cheaper than by id), changes or skipped."""

    how: dict[str, str]
    rereads: bool

    def is_whole(self, table: str) -> bool:
        """Whether the kind's list is read from its newest object to its oldest."""
        return self.how[table] not in (CHANGES, SKIPPED)

    def compares_all(self, table: str) -> bool:
        """Whether nested lists are compared too where their parent has not changed: the reading that is due weekly."""
        return self.is_whole(table) and self.how[table] != WHOLE


def plan_of(load: Load, news: News) -> Plan:
    """How each kind is to be read, and a line about it where every list is read whole.

    Raises SettingMissing when `skip` names no kind.
    """
    tables = [name for kind in KINDS for name in (kind.table, *(nested.table for nested in kind.nested))]
    if unknown := set(load.config.skip).difference(tables):
        raise SettingMissing(
            f"sources.stripe.skip names {', '.join(sorted(unknown))}; expected some of {', '.join(tables)}."
        )
    cursors, now = load.cursors, load.started_at
    reason = None
    if cursors.stamp is None or cursors.read_at is None:
        reason = FIRST
    elif now - cursors.read_at > GAP:
        reason = GAPPED
    elif cursors.reading != reading_list(load.config.skip):
        reason = ANEW
    if reason:
        load.say(_WORDS[reason])
    how = {kind.table: reason or _how(load, kind, news) for kind in KINDS}
    how |= dict.fromkeys(load.config.skip, SKIPPED)
    return Plan(how, reason is not None or rereads_now(load))


def _how(load: Load, kind: Kind, news: News) -> str:
    last = load.cursors.whole_at.get(kind.table)
    if last is None:
        return ANEW
    if load.started_at - last >= timedelta(days=load.config.whole_reread_days):
        return WEEKLY
    old = len(news.touched.get(kind.table, {})) - len(_made_since(load, kind, news))
    if kind.table == "subscriptions":
        old += len(news.repriced)  # each a list of its own
    return WHOLE if old > 1 + load.landed(kind.table).count // PAGE else CHANGES


def _made_since(load: Load, kind: Kind, news: News) -> dict[str, int]:
    """Objects that events told of and that were made since the last load, with their `created`."""
    until = load.cursors.events_until
    if not kind.is_dated or until is None:
        return {}
    return {each: at for each, at in news.touched.get(kind.table, {}).items() if at is not None and at >= until}


def read_objects(load: Load, crew: Crew, plan: Plan, news: News) -> Iterator[Batch]:
    """Every kind as planned. Requests of all kinds run at once; rows come as answers do."""
    readers = []
    for kind in KINDS:
        touched = news.touched.get(kind.table, {})
        how = plan.how[kind.table]
        load.tally(kind.table).how = how
        audits = how == WEEKLY and kind.silent is None  # of the others, events do not tell all
        reader = KindReader(load, crew, kind, touched, plan.compares_all(kind.table), audits)
        yield from reader.tables()
        readers.append(reader)
        if how == SKIPPED:
            continue
        if plan.is_whole(kind.table):
            reader.list_whole()
            continue
        _queue_changes(load, reader, plan, news)
        if kind.table == "subscriptions":
            for price in sorted(news.repriced):  # they hold a copy of the price, and no event of theirs says it changed
                reader.list_some(price=price)
    for reader in readers:
        for nested in reader.kind.nested:
            yield from reader.follow(nested.table, sorted(news.followed.get(nested.table, ())))
    yield from _until_done(crew, readers)


def _queue_changes(load: Load, reader: KindReader, plan: Plan, news: News) -> None:
    """Queue what events told of, what is new without an event, and what can change without one where that is due."""
    kind, wanted = reader.kind, dict(news.touched.get(reader.kind.table, {}))
    made = _made_since(load, kind, news)
    since = min(made.values()) if len(made) >= NEW else None
    if kind.fresh and news.count and load.cursors.events_until is not None:
        since = load.cursors.events_until - 60 * load.config.events_overlap_minutes
    if kind.silent is not None and plan.rereads:
        open_ones = dict(load.landed(kind.table).where(kind.silent_where))
        wanted |= open_ones
        if kind.silent or not kind.is_dated:
            reader.list_some(None, wanted, **kind.silent)
            return
        oldest = [at for at in open_ones.values() if at is not None]
        if len(open_ones) > load.landed(kind.table).count // PAGE + 1 and len(oldest) == len(open_ones):
            since = min([*oldest, *([since] if since is not None else [])])
    if since is None:
        reader.fetch(wanted)
    else:
        reader.list_some(since, wanted)


def _until_done(crew: Crew, readers: list[KindReader]) -> Iterator[Batch]:
    """Run the crew until neither a request nor a held object is left: what is compared may queue nested lists."""
    while True:
        yield from crew.run()
        for reader in readers:
            yield from reader.flush()
        if crew.is_idle():
            return
