from collections.abc import Iterator

import pytest

from tests.dlt_pipelines.stub import StubStripe, serving


@pytest.fixture
def stub() -> Iterator[StubStripe]:
    with serving() as server:
        yield server
