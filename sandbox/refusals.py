"""What a subscription, schedule or quote request is refused with: Stripe's words and codes, as data (refusals.json)."""

from pathlib import Path

import msgspec

from sandbox.errors import ApiError

TEXTS: dict[str, tuple[str, str | None]] = msgspec.json.decode((Path(__file__).parent / "refusals.json").read_bytes())


def refuse(name: str, param: str | None = None, /, *, http: int = 400, **words: object) -> ApiError:
    """The refusal of that name; `words` fill its message. KeyError for a name that is not in refusals.json."""
    text, code = TEXTS[name]
    return ApiError(http, text.format(param=param, **words), param=param, code=code)
