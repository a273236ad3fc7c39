"""Rate limits (stripe.md 5.3): so many requests a second in all, and so many per endpoint. Off unless asked for."""

import time
from collections.abc import Callable

from sandbox.errors import refusal

SEPARATE = {"POST /v1/billing/meter_events": 1000.0}  # endpoints with a budget of their own, in requests a second


class Limits:
    """Token buckets that hold a second's worth. `rate`: requests a second; None: no limits.

    A limit is about how fast somebody really calls, so this reads the machine's monotonic clock and not the sandbox's,
    which stands still between advances. Nothing that is stored depends on it.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.clock = rate, clock
        self.buckets: dict[str, tuple[float, float]] = {}  # name → tokens left, and when that was so

    def take(self, endpoint: str) -> None:
        """Count a request to `endpoint` (method and path template); raises ApiError (429) naming the limiter."""
        if self.rate is None:
            return
        separate = SEPARATE.get(endpoint)
        wanted = {} if separate else {"": ("global-rate", self.rate)}
        now = self.clock()
        for name, (reason, rate) in (wanted | {endpoint: ("endpoint-rate", separate or self.rate)}).items():
            most = max(rate, 1.0)
            tokens, at = self.buckets.get(name, (most, now))
            tokens = min(most, tokens + (now - at) * rate)
            self.buckets[name] = (tokens - (tokens >= 1), now)
            if tokens < 1:
                raise refusal("rate_limit", reason=reason)
