"""The event log: what Stripe says happened, each event landed once."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.rows import KIND_SCHEMA, head_of, table_of, version_hash
from dlt_pipelines.stripe_api import EVENT_DAYS, EVENTS

OVERLAP = 86_400  # seconds read again: an event may appear later than its `created`, and order is not promised


def read_events(load: Load) -> Iterator[Batch]:
    """New events since a day before the newest landed one; on a first load all that Stripe keeps (30 days).

    An event is landed once and not versioned: later only its delivery count (`pending_webhooks`) changes.
    """
    landed = load.warehouse.latest(EVENTS.table).hashes
    tally = load.tally(EVENTS.table)
    newest = load.warehouse.last_event()
    kept_from = int((load.started_at.replace(tzinfo=UTC) - timedelta(days=EVENT_DAYS)).timestamp())
    since = kept_from if newest is None else max(kept_from, newest - OVERLAP)
    yield EVENTS.table, table_of(KIND_SCHEMA, [])
    for page in load.reader.pages(EVENTS.path, {"created": {"gte": since}}, tally):
        heads = [(head_of(payload, EVENTS.path)[0], payload) for payload in page]
        rows = [load.version(head, payload, version_hash(payload)) for head, payload in heads if head.id not in landed]
        tally.rows_read += len(page)
        tally.rows_appended += len(rows)
        yield EVENTS.table, table_of(KIND_SCHEMA, rows)
