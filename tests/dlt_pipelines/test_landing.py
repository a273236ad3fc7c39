"""What dlt does around a load's rows."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dlt.load.load import Load

from dlt_pipelines.landing import Landing
from dlt_pipelines.rows import KIND_SCHEMA, table_of
from dlt_pipelines.settings import Settings
from dlt_pipelines.warehouse import open_warehouse


def test_ctrl_c_while_dlt_ends_a_package_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Load.complete_package

    def interrupted(*given: Any, **named: Any) -> None:
        ends(*given, **named)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Load, "complete_package", interrupted)
    settings = Settings(tmp_path, "http://127.0.0.1:9", "rk_test_x")
    with closing(open_warehouse(settings.warehouse)) as connection:
        landing = Landing(settings, connection, set(), torn=False)
        with pytest.raises(KeyboardInterrupt):
            landing.append({"customers": iter([("customers", table_of(KIND_SCHEMA, []))])})
