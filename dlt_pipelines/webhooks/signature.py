"""Is this body Stripe's, and fresh? (stripe.md 3)"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from stripe import SignatureVerificationError, WebhookSignature

TOLERANCE_S = 300  # the SDK's default; 0 would make it accept any age


def is_signed(body: bytes, header: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes within five minutes of now, before or after.

    header: the value of Stripe-Signature, empty when there was none.
    """
    for secret in secrets:
        # beside its refusal, the SDK raises on a body that is not UTF-8 and on a signature that is not ASCII
        with suppress(SignatureVerificationError, UnicodeDecodeError, TypeError):
            WebhookSignature.verify_header(body, header, secret, TOLERANCE_S)
            return _signed_at(header) <= time.time() + TOLERANCE_S  # the SDK takes any time to come
    return False


def _signed_at(header: str) -> int:
    """The Unix second of a header that was verified: its first `t`, as the SDK reads it."""
    return next(int(part.split("=", 2)[1]) for part in header.split(",") if part.split("=", 2)[0] == "t")
