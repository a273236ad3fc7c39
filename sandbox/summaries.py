"""Meter event summaries: usage of one customer in windows of an hour, a UTC day, or the whole range."""

from sandbox import forms
from sandbox.clock import DAY, HOUR
from sandbox.draw import BASE62, base62, identifier
from sandbox.errors import ApiError, missing
from sandbox.forms import Params
from sandbox.paging import COMMON, envelope, limit_of
from sandbox.store import MICRO, Store

WIDTHS = {"hour": HOUR, "day": DAY}
START_DIGITS = 6  # base-62 digits that hold a window's start, so that an id can serve as a cursor


def summaries(store: Store, meter: str, params: Params) -> bytes:
    """One page of windows with usage, newest first. Raises ApiError for missing or misaligned bounds."""
    forms.only(params, COMMON | {"customer", "start_time", "end_time", "value_grouping_window"})
    if store.find("billing.meter", meter) is None:
        raise missing("billing meter", meter)
    customer = forms.text(forms.required(params, "customer"), "customer")
    if store.find("customer", customer) is None:
        raise ApiError(400, f"No such customer: '{customer}'", param="customer", code="resource_missing")
    start = forms.integer(forms.required(params, "start_time"), "start_time")
    end = forms.integer(forms.required(params, "end_time"), "end_time")
    grouping = params.get("value_grouping_window")
    if grouping is not None and forms.text(grouping, "value_grouping_window") not in WIDTHS:
        raise ApiError(400, "Invalid value_grouping_window: must be one of day, hour", param="value_grouping_window")
    width = WIDTHS[grouping] if grouping else 60
    for name, value in (("start_time", start), ("end_time", end)):
        if value % width:
            unit = f"UTC {grouping}" if grouping else "minute"
            raise ApiError(400, f"{name} must be aligned with {unit} boundaries: {value}", param=name)
    if start >= end:
        raise ApiError(400, "start_time must be before end_time", param="start_time")
    url = f"/v1/billing/meters/{meter}/event_summaries"
    prefix = identifier("mtrusg_test_", 12, store.seed, meter, customer, grouping)
    limit = limit_of(params)
    span = width if grouping else end - start
    after, before = _cursor(params, "starting_after", prefix), _cursor(params, "ending_before", prefix)
    low, high = (max(start, before + span) if before is not None else start), (min(end, after) if after else end)
    newest_first = before is None
    base = 0 if grouping else start
    rows = store.db.execute(
        "select (at - ?) / ? * ? + ? as begins, sum(value) from usage where meter = ? and customer = ? and at >= ?"
        " and at < ? group by begins order by begins * ? limit ?",
        (base, span, span, base, meter, customer, low, high, -1 if newest_first else 1, limit + 1),
    ).fetchall()
    has_more, rows = len(rows) > limit, rows[:limit]
    if not newest_first:
        rows.reverse()
    texts = [
        f'{{"id":"{prefix}{base62(begins, START_DIGITS)}","object":"billing.meter_event_summary",'
        f'"aggregated_value":{number(value)},"end_time":{begins + span},"livemode":false,"meter":"{meter}",'
        f'"start_time":{begins}}}'
        for begins, value in rows
    ]
    return envelope(url, texts, has_more)


def number(micro: int) -> str:
    """Millionths as a JSON float: `1250000` is `1.25`."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{f'{part:06d}'.rstrip('0') or '0'}"


def _cursor(params: Params, name: str, prefix: str) -> int | None:
    """The window start that an id from an earlier page stands for."""
    given = params.get(name)
    if given is None:
        return None
    digits = forms.text(given, name).removeprefix(prefix)
    if len(digits) != START_DIGITS or not set(digits) <= set(BASE62):
        raise ApiError(400, f"No such billing meter event summary: '{given}'", param=name, code="resource_missing")
    start = 0
    for digit in digits:
        start = start * 62 + BASE62.index(digit)
    return start
