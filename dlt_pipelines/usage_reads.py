"""One request for usage: what is asked, how the answer is read, and many of them at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar

import msgspec

from dlt_pipelines.client import Reader
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.rows import Tally, decode, seconds_of
from dlt_pipelines.stripe_api import PAGE, SUMMARIES

SECONDS = {"day": 86_400, "hour": 3_600}  # of the windows that one request may group by
EXACT_TO = 2**53  # the largest number up to which a JSON float has every whole number
_TWELVE_PLACES, _EXACT = Decimal("1e-12"), Context(prec=38)  # the warehouse's decimal(38,12)

Task = TypeVar("Task")
Done = TypeVar("Done")


class Summary(msgspec.Struct):
    """One window of an event summary, as Stripe sends it."""

    aggregated_value: msgspec.Raw  # a JSON number of any size: read as text, never as a float
    start_time: int
    end_time: int


class Request(NamedTuple):
    """What one request asks for; UTC without zone, `end` exclusive.

    grain: 'day' or 'hour' for windows of those, at most PAGE; anything else for one window of the whole range.
    """

    no: int
    meter: str
    customer: str
    start: datetime
    end: datetime
    grain: str


Found = tuple[int, int, int, Decimal]  # number of the request; window start and end, unix seconds; value


def read_windows(reader: Reader, request: Request, tally: Tally) -> list[Found] | None:
    """The windows Stripe lists for a request, values exact to twelve places; None when the customer is gone.

    One window of the whole range is 0 where Stripe lists none. Raises BadResponse for windows that were not asked for.
    """
    start, end = seconds_of(request.start), seconds_of(request.end)
    params: dict[str, Any] = {"customer": request.customer, "start_time": start, "end_time": end, "limit": PAGE}
    if request.grain in SECONDS:
        params["value_grouping_window"] = request.grain
    page = reader.page(SUMMARIES, params, tally, of=request.meter)
    if page is None:
        return None
    width = SECONDS.get(request.grain, end - start)
    windows = f"{request.grain}s" if request.grain in SECONDS else "the one window"
    found: dict[int, Decimal] = {}
    for payload in page.data:
        summary = decode(payload, Summary, SUMMARIES)
        at = summary.start_time
        if not start <= at < end or (at - start) % width or summary.end_time - at != width or at in found:
            raise BadResponse(
                f"{SUMMARIES} was asked for {windows} from {start} to {end} and answered with one from "
                f"{at} to {summary.end_time}, or with it twice; nothing of this meter was landed: report it to Stripe."
            )
        found[at] = exact(summary.aggregated_value)
        if abs(found[at]) > EXACT_TO:
            tally.note("beyond_2_53", f"{request.meter} from {at}")
    if page.has_more:
        raise BadResponse(
            f"{SUMMARIES} was asked for no more than fits on a page ({PAGE}) and says that there are more; "
            "nothing of this meter was landed: report it to Stripe."
        )
    if request.grain not in SECONDS and not found:
        found[start] = Decimal(0)
    return [(request.no, at, at + width, value) for at, value in found.items()]


def exact(number: msgspec.Raw) -> Decimal:
    """A JSON number, or a string holding one, as Decimal: rounded half-even to the warehouse's twelve places."""
    text = bytes(number).decode().strip('"')
    try:
        value = Decimal(text).quantize(_TWELVE_PLACES, context=_EXACT)
        if value.is_finite():
            return value
    except InvalidOperation:
        pass
    raise BadResponse(
        f"{SUMMARIES} gave {text[:40]!r} as a quantity; expected a number below 10^26: report it to Stripe."
    )


def in_parallel(
    work: Callable[[Task], Done], tasks: Iterable[Task], workers: int, stop: Callable[[], None]
) -> Iterator[Done]:
    """`work` of each task, in order, `workers` at a time; no more than a few per worker wait, however many there are.

    The first failure is raised; before, `stop` wakes the workers that wait for their turn.
    """
    pool, begun = ThreadPoolExecutor(workers), deque[Future[Done]]()
    try:
        for task in tasks:
            begun.append(pool.submit(work, task))
            if len(begun) >= 4 * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
