"""Incremental models are built anew when what they are made of differs from the last build, and only then."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.building import build, fingerprint
from dlt_pipelines.settings import Settings
from tests.commands import ROOT, clean_environment

BUILD = """
import sys; from pathlib import Path
from dlt_pipelines.building import build; from dlt_pipelines.settings import Settings
build(Settings(data=Path(sys.argv[1])), None, project=Path(sys.argv[2]))
"""
PROFILE = """
tiny:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('METERWISE_DATA') }}/warehouse.duckdb"}
"""
MODEL = """
{{ config(materialized='incremental') }}
select 1 as first_definition, '{{ var("as_of", "today") }}' as said_on
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A dbt project of one incremental model, which appends a row in each build that is not a full refresh."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: tiny\nversion: 1.0.0\nprofile: tiny\nmodels: {tiny: {}}\n")
    (folder / "profiles.yml").write_text(PROFILE)
    (folder / "models" / "said.sql").write_text(MODEL)
    return folder


def said(settings: Settings) -> list[str]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return [day for (day,) in con.execute("select said_on from said").fetchall()]


def test_rows_of_earlier_builds_stay_until_one_differs_or_fails(project: Path, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    settings.data.mkdir()
    broken = project / "models" / "broken.sql"

    assert build(settings, None, project=project) == 0
    assert build(settings, None, project=project) == 0
    assert said(settings) == ["today", "today"]
    copied = settings.data / "copied.duckdb"
    shutil.copy(settings.warehouse, copied)
    assert build(settings, date(2026, 3, 1), project=project) == 0  # a replay
    assert said(settings) == ["2026-03-01"]
    broken.write_text("select nothing from nowhere")
    assert build(settings, None, project=project) != 0
    broken.unlink()
    assert build(settings, None, project=project) == 0
    assert said(settings) == ["today"]
    (project / "models" / "said.sql").write_text(MODEL.replace("first", "second"))
    shutil.copy(copied, settings.warehouse)  # an older file put back, made of the old definition
    assert build(settings, None, project=project) == 0
    assert said(settings) == ["today"]


def test_a_build_is_known_by_its_files_and_its_day(project: Path) -> None:
    here = fingerprint(None, project)

    assert here == fingerprint(None, project)
    assert here != fingerprint(date(2026, 3, 1), project)
    (project / "models" / "said.sql").rename(project / "models" / "told.sql")
    assert here != fingerprint(None, project)


def test_a_build_leaves_what_signals_do_as_it_was(project: Path, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    settings = Settings(data=tmp_path / "data")
    settings.data.mkdir()
    assert build(settings, None, project=project) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_build_that_is_asked_to_end_ends_dbt_first(project: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    # hours of work for DuckDB
    endless = (
        "{{ config(materialized='table') }} select sum(a.range * b.range) from range(10000000) a, range(10000000) b"
    )
    (project / "models" / "endless.sql").write_text(endless)
    building = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(data), str(project)],
        cwd=ROOT, env=clean_environment(data), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert building.stdout
    assert any("START" in line and "endless" in line for line in building.stdout)  # dbt is at work now
    (dbt,) = Path(f"/proc/{building.pid}/task/{building.pid}/children").read_text().split()
    building.send_signal(signal.SIGTERM)
    _, told = building.communicate(timeout=30)
    assert "KeyboardInterrupt" in told  # which the command line makes exit code 130
    assert not Path(f"/proc/{dbt}").exists()
