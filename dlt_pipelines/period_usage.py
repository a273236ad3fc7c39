"""Meter usage per billing period: one summary from the period's first minute to its last, the open one so far."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

from dlt_pipelines.context import Batch, Load, in_parallel
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.periods import PERIOD, SO_FAR, Periods, floor
from dlt_pipelines.rows import PERIOD_SCHEMA, Tally, Window, decode, table_of
from dlt_pipelines.stripe_api import SUMMARIES
from dlt_pipelines.usage import TRAILING, Summary, end_of_cover, exact, seconds_of

TABLE = "meter_usage_period_revisions"


def read_periods(load: Load, periods: Periods, say: Callable[[str], None]) -> Iterator[Batch]:
    """Revisions of usage by billing period, one request each; prints how many first.

    Asked for are the open periods up to the end of cover, and those that are over unless they have landed and ended
    more than 36 days before what the last finished load covered: then no event can have changed them since.
    """
    known, until = load.warehouse.period_usage(), end_of_cover(load)
    settled = min(load.warehouse.covered_until().values(), default=until) - TRAILING
    windows = _windows(periods, known, settled, until)
    running = sum(window.grain == SO_FAR for window in windows)
    say(f"periods: {running} open and {len(windows) - running} closed, {len(windows)} requests")
    yield TABLE, table_of(PERIOD_SCHEMA, [])

    def read(window: Window) -> tuple[list[tuple[Window, Decimal]], int]:
        tally = Tally()
        used = _used(load, window, tally)
        shared = periods.shared_minutes(window, used) if window.grain == PERIOD else []
        return [(window, used), *((minute, _used(load, minute, tally)) for minute in shared)], tally.requests

    rows = []
    for read_windows, asked in in_parallel(read, windows):
        meter = read_windows[0][0].meter
        new = [(window, used) for window, used in read_windows if known.get(window) != used]
        for tally in (load.tally(TABLE), periods.tally(meter)):
            tally.rows_read += len(read_windows)
            tally.rows_appended += len(new)
            tally.requests += asked
        rows += [(load.account_id, *window, used, load.stamp) for window, used in new]
        known.update(new)  # two periods that meet ask for the same minute
    yield TABLE, table_of(PERIOD_SCHEMA, rows)


def _windows(periods: Periods, known: dict[Window, Decimal], settled: datetime, until: datetime) -> list[Window]:
    """The windows to ask for, in order; a window of two items is asked for once."""
    windows = {window for window in known if window.grain == PERIOD and window.end > settled}
    for (meter, customer), spans in periods.billed.items():
        for first, last in spans:
            start, end = floor(first), floor(last)
            grain = PERIOD if end <= until else SO_FAR
            window = Window(meter, customer, start, min(end, until), grain)
            if start < window.end and not (end <= settled and window in known):
                windows.add(window)
    return sorted(window for window in windows if window.customer in periods.customers)


def _used(load: Load, window: Window, tally: Tally) -> Decimal:
    """What the customer used in the window, by the meter's formula; 0 where Stripe lists nothing."""
    params = {
        "customer": window.customer,
        "start_time": seconds_of(window.start),
        "end_time": seconds_of(window.end),
    }
    asked = params["start_time"], params["end_time"]
    found = [
        decode(payload, Summary, SUMMARIES)
        for page in load.reader.pages(SUMMARIES, params, tally, of=window.meter)
        for payload in page
    ]
    if len(found) > 1 or any((summary.start_time, summary.end_time) != asked for summary in found):
        raise BadResponse(
            f"{SUMMARIES} was asked for the one window from {asked[0]} to {asked[1]} and answered with {len(found)}, "
            "or another; nothing of this meter was landed: report it to Stripe."
        )
    return exact(found[0].aggregated_value) if found else Decimal(0)
