"""Steps that tests of invoices share."""

from typing import Any

from tests.sandbox.local import Local


def one_off(local: Local, amount: int = 4000, *, customer: Any = None, **params: Any) -> Any:
    """A draft with one line."""
    customer = customer or local.customer()
    invoice = local.post("invoices", customer=customer["id"], **params)
    local.post("invoiceitems", customer=customer["id"], invoice=invoice["id"], amount=amount, currency="usd")
    return invoice


def opened(local: Local, amount: int = 4000, **params: Any) -> Any:
    invoice = one_off(local, amount, **params)
    return local.post(f"invoices/{invoice['id']}/finalize", auto_advance=False)


def act(local: Local, invoice: Any, action: str, **params: Any) -> Any:
    return local.post(f"invoices/{invoice['id']}/{action}", **params)
