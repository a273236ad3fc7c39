"""Stripe's words and codes for everything that is refused, as data: refusals.toml."""

import tomllib
from pathlib import Path
from typing import Any

from sandbox.errors import ApiError

REFUSALS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "refusals.toml").read_text())


def refuse(name: str, param: str | None = None, /, *, http: int | None = None, **words: object) -> ApiError:
    """The refusal of that name in refusals.toml; `words` fill its message. `http`: another status than there."""
    said: dict[str, Any] = {"status": 400, "headers": {}} | REFUSALS[name]
    headers = {key: text.format(**words) for key, text in said.pop("headers").items()}
    status, message = said.pop("status"), said.pop("message").format(param=param, **words)
    return ApiError(http or status, message, param=param, headers=headers, **said)
