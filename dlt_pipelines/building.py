"""The first dbt pass: incremental where the warehouse was built the same way before, anew where it was not.

Incremental models keep rows of earlier builds, which is right only while the definitions are the same. dbt does not
look; so what a build was made of is noted in the warehouse once it succeeded, and a difference asks for a full
refresh.
"""

from __future__ import annotations

import hashlib
import subprocess
from datetime import date
from pathlib import Path

import duckdb

from dlt_pipelines.settings import Settings
from dlt_pipelines.signals import interruptible
from dlt_pipelines.stages import DBT, ROOT, end, environment
from dlt_pipelines.warehouse import explain

PROJECT = ROOT / "dbt_project"
DEFINITIONS = ("dbt_project.yml", "models", "macros", "seeds")


def build(settings: Settings, as_of: date | None, full_refresh: bool = False, project: Path = PROJECT) -> int:
    """Build every model that scoring reads, and run their tests; dbt's own words go to the terminal.

    as_of: a UTC day to replay, or None for the newest day that is fully loaded.
    project: the dbt project, whose folder also holds profiles.yml.
    Gives dbt's exit code: 0 when every model was built and every test passed.
    """
    made_of = fingerprint(as_of, project)
    is_same = not full_refresh and _noted(settings.warehouse) == made_of
    if not is_same:
        _note(settings.warehouse, None)  # until a build succeeds, nothing says what the warehouse was made of
    anew = () if is_same else ("--full-refresh",)
    day = ("--vars", f"{{as_of: '{as_of}'}}") if as_of else ()
    where = ("--project-dir", str(project), "--profiles-dir", str(project))
    command = (*DBT, "build", *where, "--exclude", "tag:after_ml", *anew, *day)
    with interruptible():
        dbt = subprocess.Popen(command, cwd=project.parent, env=environment(settings.data))
        try:
            code = dbt.wait()
        except BaseException:
            end(dbt)  # nobody else waits for it, and it holds the warehouse
            raise
    if code == 0:
        _note(settings.warehouse, made_of)
    return code


def fingerprint(as_of: date | None, project: Path = PROJECT) -> str:
    """What a build is made of: 64 hexadecimal digits over the definitions and the day replayed."""
    digest = hashlib.sha256(str(as_of).encode())
    for name in DEFINITIONS:
        top = project / name
        for path in sorted([top] if top.is_file() else (file for file in top.rglob("*") if file.is_file())):
            digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _noted(warehouse: Path) -> str | None:
    """What the warehouse says it was made of. Raises Locked while another process writes it."""
    if not warehouse.exists():
        return None
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            return str(connection.execute("select made_of from intermediate.last_build").fetchall()[0][0])
    except (duckdb.CatalogException, IndexError):
        return None
    except duckdb.Error as error:
        raise explain(warehouse, error) from error


def _note(warehouse: Path, made_of: str | None) -> None:
    """Write it into the warehouse, or take it out. Raises Locked while another process has the file open."""
    if not warehouse.exists():
        return
    try:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("create schema if not exists intermediate")
            connection.execute("create or replace table intermediate.last_build (made_of varchar)")
            if made_of is not None:
                connection.execute("insert into intermediate.last_build values (?)", [made_of])
    except duckdb.Error as error:
        raise explain(warehouse, error) from error
