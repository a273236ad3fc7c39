"""Words for the terminal: customer text made harmless, secrets taken out, money, tables."""

import re
import unicodedata
from datetime import UTC, datetime

TEXT_LIMIT = 200  # a reason is a sentence; more would push the amount off the approval screen
MARKS = 2  # accents on one letter; a tower of them would paint over the lines above

# Currencies by the decimals of their minor unit (ISO 4217; Stripe's list of zero-decimal currencies), as in the dbt
# seed `currencies`. One that is in no list is printed in minor units, never guessed.
_BY_DECIMALS = {
    0: "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf",
    2: "aud brl cad chf czk dkk eur gbp hkd ils inr mxn myr nok nzd pln ron sek sgd thb try usd zar",
    3: "bhd jod kwd omr tnd",
}
_DECIMALS = {code: decimals for decimals, codes in _BY_DECIMALS.items() for code in codes.split()}
_UNSEEN = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}  # letters to Unicode, blanks to the eye
_SECRETS = re.compile(r"(?<![A-Za-z0-9])(?:sk|rk|pk|whsec)_(?!(?:test|live)_(?!\w))\w{4,}|(?:Bearer|Basic) [\w.~+/=-]+")
_PART = r"[^\s@<>\"'(),;:=\\]"
_MAIL = re.compile(rf"{_PART}+@{_PART}+\.[^\W_]+")


def safe_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` in NFC without control, bidirectional, zero-width and private characters, at most `limit` long.

    Names come from customers and could otherwise repaint the screen on which a person approves.
    Unicode category C holds all of these (Cc, Cf, Cs, Co, Cn); line and paragraph separators and blank letters go
    too, every other space becomes a plain one.
    """
    kept, marks = [], 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category[0] == "M" else 0
        if category[0] == "C" or category in ("Zl", "Zp") or char in _UNSEEN or marks > MARKS:
            continue
        kept.append(" " if category == "Zs" else char)
    text = unicodedata.normalize("NFC", "".join(kept))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def redact(text: str) -> str:
    """`text` without Stripe keys, signing secrets, authorization headers and e-mail addresses: the last filter."""
    return _MAIL.sub("[e-mail]", _SECRETS.sub("[secret]", text))


def money(amount_minor: int, currency: str) -> str:
    """`USD 49.00`, `JPY 4,900`, as the marts write it; the point is placed in the digits, nothing is divided."""
    decimals = _DECIMALS.get(currency.lower())
    if decimals is None:
        return f"{amount_minor} minor units of {currency.upper()}"
    sign, digits = ("-" if amount_minor < 0 else ""), str(abs(amount_minor)).zfill(decimals + 1)
    whole, fraction = (digits[:-decimals], "." + digits[-decimals:]) if decimals else (digits, "")
    return f"{currency.upper()} {sign}{int(whole):,}{fraction}"


def moment(seconds: int) -> str:
    """Stripe's unix time as `2026-11-22 00:33Z`; as it is where no calendar has such a day."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%MZ}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds} (unix time)"


def table(rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
