"""Which permissions a restricted key lacks, asked of Stripe all at once."""

from collections.abc import Iterable

from dlt_pipelines.client import Reader
from dlt_pipelines.errors import PermissionMissing, RequestRefused
from dlt_pipelines.rows import Tally
from dlt_pipelines.stripe_api import SUMMARIES, SUMMARIES_PERMISSION, Kind


def missing_permissions(reader: Reader, kinds: Iterable[Kind], tally: Tally) -> list[str]:
    """The permissions that reading `kinds`, their nested lists and usage needs and the key lacks, sorted.

    One request each. A nested list has its parent's permission, so it is not asked for. Where Stripe names the
    permission, its word counts, else the kind's. Raises what the reader raises for anything but 400, 403 and 404.
    """
    asked = [(kind.path, {"limit": 1, **kind.params} if _is_list(kind) else {}, kind.permission) for kind in kinds]
    window = {"customer": "cus_0", "start_time": 0, "end_time": 60, "limit": 1}
    missing = set[str]()
    for path, params, permission in [*asked, (SUMMARIES, window, SUMMARIES_PERMISSION)]:
        try:
            reader.get(path, params, tally, of="mtr_0")
        except PermissionMissing as refusal:
            missing.add(refusal.permission or permission)
        except RequestRefused:
            continue  # the key may ask; that this request is refused is for the load to say
    return sorted(missing)


def all_missing(missing: list[str]) -> PermissionMissing:
    """The refusal that names them all."""
    return PermissionMissing(
        f"The key lacks permissions that the load needs: {', '.join(missing)}; give the restricted key read access to "
        "them in Stripe's dashboard, or leave tables out by `skip` in .dlt/config.toml (not account, events, usage).",
        missing[0] if missing else "",
    )


def _is_list(kind: Kind) -> bool:
    return kind.path != "/v1/account"
