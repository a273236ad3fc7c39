"""Payment methods: Stripe's test cards, attached to customers under ids of their own."""

from sandbox import objects
from sandbox.call import Call, Handler
from sandbox.refusals import refuse
from sandbox.simple import EMPTY
from sandbox.store import Obj, Store

CARDS = {  # test token → brand, last four digits, and why charges fail
    "pm_card_visa": ("visa", "4242", None),
    "pm_card_mastercard": ("mastercard", "4444", None),
    "pm_card_chargeCustomerFail": ("visa", "0341", "generic_decline"),
    "pm_card_chargeDeclined": ("visa", "0002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("visa", "9995", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("visa", "0069", "expired_card"),
}
DECLINES = {last4: code for _, last4, code in CARDS.values()}


def outcome(store: Store, identifier: str) -> str | None:
    """The decline code with which charges on a payment method fail, or None if they succeed."""
    return DECLINES[store.get("payment_method", identifier)["card"]["last4"]]


def named(store: Store, token: str, param: str, status: int = 400) -> Obj:
    """The payment method with that id; of a test token such as `pm_card_visa` a new one, not attached.

    Raises ApiError (`status`).
    """
    if found := store.find("payment_method", token):
        return found
    if token not in CARDS:
        raise refuse("no_card", param, http=status, id=token)
    brand, last4, _ = CARDS[token]
    networks = {"available": [brand], "preferred": None}
    shown = {"brand": brand, "display_brand": brand, "last4": last4, "networks": networks}
    return objects.create(store, "payment_method", emits=False, card=EMPTY["payment_method"]["card"] | shown)


def of_customer(store: Store, token: str, customer: Obj, param: str) -> Obj:
    """The customer's payment method with that id, or made from that test token. Raises ApiError (400)."""
    last4 = CARDS[token][1] if token in CARDS else None
    for method in store.rows("payment_method", customer=customer["id"]):
        if method["id"] == token or method["card"]["last4"] == last4:
            return method
    raise refuse("not_attached", param, id=token)


def attach(store: Store, method: Obj, customer: Obj) -> Obj:
    """Make it the customer's. Raises ApiError (400) if it is another's."""
    if method["customer"] is None:
        return objects.become(store, method, "attached", customer=customer["id"])
    if method["customer"] != customer["id"]:
        raise refuse("attached")
    return method


def attach_named(call: Call) -> Obj:
    """Attach the payment method of the URL, or one made from a test token."""
    method = named(call.store, call.path["id"], "payment_method", 404)
    return attach(call.store, method, call.store.get("customer", call.params["customer"]))


def detach(call: Call) -> Obj:
    """Take it off its customer, who may be left without a default."""
    store, method = call.store, call.target("payment_method")
    if method["customer"] is None:
        raise refuse("detached")
    customer = store.get("customer", method["customer"])
    objects.become(store, method, "detached", {"customer": customer["id"]}, customer=None)
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        objects.update(store, customer, invoice_settings=settings | {"default_payment_method": None})
    return method


ROUTES: dict[str, Handler] = {
    "POST /v1/payment_methods/{id}/attach": attach_named,
    "POST /v1/payment_methods/{id}/detach": detach,
}
