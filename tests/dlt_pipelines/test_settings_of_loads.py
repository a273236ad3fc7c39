"""Where a load's settings come from, what is refused, and what one load leaves to the next."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from dlt_pipelines.config import Config, read_config
from dlt_pipelines.errors import SettingMissing
from dlt_pipelines.settings import read_settings
from dlt_pipelines.state import Cursors, from_state, reading_list, to_state
from tests.commands import ROOT, clean_environment
from tests.oracles import loading_page

NOON = datetime(2026, 11, 1, 12, 0, 0, 7)  # noqa: DTZ001 - UTC without zone, as in the warehouse


def test_the_cursors_survive_being_kept_as_json() -> None:
    cursors = Cursors(NOON, NOON, 1_793_512_800, {"customers": NOON}, NOON, NOON, reading_list())

    assert from_state(to_state(cursors)) == cursors
    assert from_state(to_state(Cursors())) == from_state({}) == Cursors()


def test_leaving_a_table_out_changes_what_is_read_and_so_does_taking_it_back() -> None:
    assert reading_list(("disputes",)) != reading_list()
    assert reading_list(("disputes", "alerts")) == reading_list(("alerts", "disputes"))


def test_the_environment_overrides_and_the_file_says_what_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_config() == Config(), ".dlt/config.toml says something else than the defaults"
    monkeypatch.setenv("SOURCES__STRIPE__SKIP", " disputes,alerts, ")
    monkeypatch.setenv("SOURCES__STRIPE__RATE_SHARE", "0.25")

    assert read_config() == Config(skip=("disputes", "alerts"), rate_share=0.25)
    monkeypatch.setenv("SOURCES__STRIPE__SKIP", '["disputes", "alerts"]')  # as dlt reads lists
    assert read_config().skip == ("disputes", "alerts")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("RATE_SHARE", "1.5"),
        ("RATE_SHARE", "nan"),
        ("USAGE_GRAIN", "week"),
        ("USAGE_WINDOW_DAYS", "7"),
        ("REREAD_HOURS", "-1"),
        ("WHOLE_REREAD_DAYS", "99999999999"),
        ("EVENTS_OVERLAP_MINUTES", "0"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SOURCES__STRIPE__{name}", value)

    with pytest.raises(SettingMissing, match=rf"sources\.stripe\.{name.lower()} is .*\.dlt/config\.toml"):
        read_config()


def test_dlts_own_names_for_the_key_and_the_warehouse_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {
        "SOURCES__STRIPE__STRIPE_SECRET_KEY": "rk_test_a",
        "DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///w.duckdb",
    }
    assert read_settings(names).api_key == "rk_test_a"
    assert read_settings(names).warehouse == tmp_path / "w.duckdb"
    assert read_settings(names | {"STRIPE_API_KEY": "rk_test_b"}).api_key == "rk_test_b"
    assert read_settings({}).warehouse == tmp_path / "data" / "warehouse.duckdb"
    assert read_settings({}).api_key == ""

    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text('[sources.stripe]\nstripe_secret_key = "rk_test_c"\n')
    assert read_settings({}).api_key == "rk_test_c"
    assert "rk_test_c" not in repr(read_settings({}))
    (tmp_path / ".dlt" / "secrets.toml").write_bytes(b"\xff")
    with pytest.raises(SettingMissing, match="cannot be read"):
        read_settings({})


@pytest.mark.parametrize("credentials", [":memory:", "md:company", '{"database": "x"}', "postgresql://u@h/d"])
def test_a_destination_that_is_no_file_is_refused(credentials: str) -> None:
    with pytest.raises(SettingMissing, match="no path of a file"):
        read_settings({"DESTINATION__DUCKDB__CREDENTIALS": credentials})


def test_nothing_about_a_load_leaves_this_machine_wherever_it_is_started(tmp_path: Path) -> None:
    asked = (
        "from dlt_pipelines.config import read_config; read_config();"
        "from dlt.common.runtime import anon_tracker; print(anon_tracker._ANON_TRACKER_ENDPOINT)"
    )
    environment = clean_environment(tmp_path, PYTHONPATH=str(ROOT))
    told = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.split() == ["None"]


def test_the_page_about_loading_says_what_the_loader_reads() -> None:
    page = loading_page.PAGE.read_text()

    assert loading_page.rendered(page) == page, "run python -m tests.oracles.loading_page"
