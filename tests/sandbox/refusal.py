"""How tests say that Stripe would refuse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import stripe


@contextmanager
def refused(param: str | None = None, *, code: str | None = None, status: int = 400, says: str = "") -> Iterator[None]:
    """The body is refused with that status, param and code, and a message that holds `says`."""
    with pytest.raises(stripe.StripeError) as caught:
        yield
    error = caught.value
    assert error.http_status == status, error
    assert says in str(error.user_message)
    body: Any = error.json_body
    told = body["error"]
    assert told["type"] == ("card_error" if status == 402 else "invalid_request_error")
    assert param is None or told.get("param") == param, told
    assert code is None or told.get("code") == code, told
