"""Whole loads as a user starts them, against the sandbox over HTTP."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import ROOT, clean_environment, module
from tests.dlt_pipelines.stripe_bytes import rows

KEY = "rk_test_sandbox_load"
TABLES = "select table_name from duckdb_tables() where schema_name = 'raw_stripe' and table_name not like '%dlt%'"


def load(url: str, data: Path) -> subprocess.CompletedProcess[str]:
    """A load from the sandbox at `url`, in a process of its own."""
    return module(data, "dlt_pipelines", "load", STRIPE_API_BASE=url, STRIPE_API_KEY=KEY)


@contextmanager
def sandbox(data: Path) -> Iterator[str]:
    """The URL of a sandbox that serves the state in `data`, until the block ends."""
    command = [sys.executable, "-m", "sandbox", "serve"]
    server = subprocess.Popen(command, cwd=ROOT, env=clean_environment(data), stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield server.stdout.readline().split()[-1]
    finally:
        server.terminate()
        server.communicate()


@dataclass
class Company:
    """A served sandbox that no test changes and, in `data`, its state and a warehouse loaded from it once."""

    url: str
    data: Path


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    data = tmp_path_factory.mktemp("company")
    seeded = module(data, "sandbox", "seed", "--customers", "12", "--months", "3")
    assert seeded.returncode == 0, seeded.stderr
    with sandbox(data) as url:
        first = load(url, data)
        assert first.returncode == 0, first.stderr
        yield Company(url, data)


def contents(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every raw row but those about loads, without the moment it was landed."""
    names = [name for (name,) in rows(data, TABLES) if not name.startswith("load_")]
    keyed = {name: "first_seen_at" if name.startswith("meter_usage") else "loaded_at" for name in names}
    return {
        name: rows(data, f"select * exclude ({stamp}) from raw_stripe.{name} order by all")
        for name, stamp in keyed.items()
    }


def test_a_second_load_appends_nothing(company: Company, tmp_path: Path) -> None:
    data = Path(shutil.copytree(company.data, tmp_path / "data"))
    before = contents(data)
    assert all(before[name] for name in ("accounts", "customers", "prices", "invoice_lines", "meter_usage_revisions"))

    second = load(company.url, data)

    assert second.returncode == 0, second.stderr
    assert " 0 appended" in second.stdout
    assert contents(data) == before


def test_a_change_made_through_the_sdk_appends_one_version_and_keeps_the_old(company: Company, tmp_path: Path) -> None:
    import stripe

    data = Path(shutil.copytree(company.data, tmp_path / "data"))
    with sandbox(data) as url:
        client = stripe.StripeClient("rk_test_sandbox_act", base_addresses={"api": url})
        changed = client.v1.customers.list({"limit": 1}).data[0].id
        client.v1.customers.update(changed, {"metadata": {"meterwise_test": "yes"}})
        assert load(url, data).returncode == 0

    versions = rows(
        data,
        f"select payload like '%meterwise_test%' from raw_stripe.customers where id = '{changed}' order by loaded_at",
    )
    assert versions == [(False,), (True,)]
    assert rows(data, "select count(*) - count(distinct id) from raw_stripe.customers") == [(1,)]


def test_ctrl_c_ends_a_load_with_one_sentence(company: Company, tmp_path: Path) -> None:
    loader = subprocess.Popen(
        [sys.executable, "-m", "dlt_pipelines", "load"],
        cwd=ROOT,
        env=clean_environment(tmp_path, STRIPE_API_BASE=company.url, STRIPE_API_KEY=KEY),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert loader.stderr
    assert any(line.startswith("this is the first load") for line in loader.stderr)
    loader.send_signal(signal.SIGINT)

    _, said = loader.communicate()

    assert loader.returncode == 130
    assert said.splitlines()[-1].startswith("Interrupted; what was landed stays valid")
    assert "Traceback" not in said


def test_an_empty_account_loads_to_the_end_and_says_so(tmp_path: Path) -> None:
    assert module(tmp_path, "sandbox", "seed", "--empty").returncode == 0
    with sandbox(tmp_path) as url:
        loaded = load(url, tmp_path)

    assert loaded.returncode == 0, loaded.stderr
    assert "no customers yet" in loaded.stdout
    assert rows(tmp_path, "select count(*) from raw_stripe.accounts") == [(1,)]


def test_nothing_a_load_prints_or_leaves_in_dlts_folder_holds_a_key_or_a_name(company: Company, tmp_path: Path) -> None:
    printed = load(company.url, tmp_path)
    [(name,)] = rows(tmp_path, "select payload ->> '$.name' from raw_stripe.customers limit 1")

    left = b"".join(path.read_bytes() for path in (tmp_path / "dlt").rglob("*") if path.is_file())
    for secret in (KEY, name):
        assert secret not in printed.stdout + printed.stderr
        assert secret.encode() not in left
