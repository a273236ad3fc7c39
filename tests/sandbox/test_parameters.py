"""What routes accept: as the SDK's types say, and as Stripe's OpenAPI description says but for what endive changed."""

from sandbox.params import CATALOGUE
from sandbox.routes import routes
from tests.oracles import openapi, sdk_parameters

OURS = {route.key for route in routes()}


def test_the_catalogue_is_what_the_official_sdks_types_say() -> None:
    assert sdk_parameters.CATALOGUE.read_text() == sdk_parameters.catalogue()


def test_every_route_has_its_parameters_in_the_catalogue() -> None:
    assert OURS - set(CATALOGUE) == set()


def test_parameters_differ_from_stripes_description_only_where_endive_does() -> None:
    found = {}
    for key in OURS & set(openapi.operations()):
        sdk = {name.rstrip("!") for name in CATALOGUE[key]} - {"expand"}
        described = openapi.parameters(key) - {"expand"}
        if sdk != described:
            found[key] = (sdk - described, described - sdk)
    assert found == {key: difference for key, difference in openapi.PARAMETERS.items() if key in OURS}
