"""A key that lacks permissions is told all of them at once."""

from io import StringIO
from pathlib import Path

import pytest

from dlt_pipelines.client import Reader
from dlt_pipelines.errors import AccessDenied, PermissionMissing
from dlt_pipelines.load import load
from dlt_pipelines.permissions import all_missing, missing_permissions
from dlt_pipelines.progress import Progress
from dlt_pipelines.rows import Tally
from dlt_pipelines.stripe_api import ACCOUNT, EVENTS, KINDS
from tests.dlt_pipelines.stripe_bytes import settings_for
from tests.dlt_pipelines.stub import StubStripe

NAMELESS = (403, b'{"error": {"message": "You may not."}}')


def test_a_403_names_its_permission(stub: StubStripe, tmp_path: Path) -> None:
    stub.forbidden = {"/v1/invoices": "invoice_read"}

    with pytest.raises(PermissionMissing, match="rak_invoice_read") as raised:
        list(Reader(settings_for(stub, tmp_path)).pages("/v1/invoices", {}, Tally()))

    assert raised.value.permission == "invoice_read"


def test_every_missing_permission_is_found_with_one_request_a_kind(stub: StubStripe, tmp_path: Path) -> None:
    stub.forbidden = {
        "/v1/customers": "customer_of_tomorrow_read",  # Stripe's word counts
        "/v1/events": "event_read",
        "/v1/billing/meters/mtr_0/event_summaries": "billing_meter_event_read",
    }
    stub.answers["/v1/prices"] = [NAMELESS]
    stub.answers["/v1/quotes"] = [(400, b'{"error": {"message": "Quotes are not enabled."}}')]
    kinds, tally = [*KINDS, EVENTS, ACCOUNT], Tally()

    missing = missing_permissions(Reader(settings_for(stub, tmp_path)), kinds, tally)

    assert missing == ["billing_meter_event_read", "customer_of_tomorrow_read", "event_read", "plan_read"]
    assert tally.requests == len(kinds) + 1
    said = all_missing(missing)
    assert isinstance(said, AccessDenied)
    assert "billing_meter_event_read, customer_of_tomorrow_read, event_read, plan_read" in str(said)


def test_a_key_that_may_read_everything_lacks_nothing(stub: StubStripe, tmp_path: Path) -> None:
    assert missing_permissions(Reader(settings_for(stub, tmp_path)), KINDS, Tally()) == []


@pytest.mark.parametrize("first_refused", [ACCOUNT.path, EVENTS.path, "/v1/customers"])
def test_a_load_tells_all_missing_permissions_whichever_request_meets_the_first(
    stub: StubStripe, tmp_path: Path, first_refused: str
) -> None:
    stub.forbidden = {first_refused: "one_read", "/v1/invoices": "two_read"}

    with pytest.raises(PermissionMissing, match="one_read, two_read"):
        load(settings_for(stub, tmp_path), Progress(StringIO(), is_quiet=True))
