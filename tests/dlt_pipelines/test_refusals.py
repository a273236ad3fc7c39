"""What a load refuses before it touches anything: one sentence, the right exit code, no traceback."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlt_pipelines.errors import LoaderError, Locked, OtherAccount, WarehouseFailed
from dlt_pipelines.settings import Settings, read_settings, require_key
from dlt_pipelines.warehouse import open_warehouse
from tests.commands import module
from tests.dlt_pipelines.stripe_bytes import load_quietly, rows
from tests.dlt_pipelines.stub import StubStripe


@contextmanager
def held_open(warehouse: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the warehouse open for writing."""
    hold = f"import duckdb, sys; held = duckdb.connect({str(warehouse)!r}); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "open\n"
    try:
        yield holder
    finally:
        holder.communicate()


def test_a_locked_warehouse_names_the_process_that_has_it(stub: StubStripe, tmp_path: Path) -> None:
    with held_open(tmp_path / "warehouse.duckdb") as holder:
        with pytest.raises(Locked, match=rf"PID {holder.pid}\)"):
            load_quietly(stub, tmp_path)
        for command in ("load", "ledger", "publish", "as-of"):
            refused = module(tmp_path, "dlt_pipelines", command, STRIPE_API_BASE=stub.url, STRIPE_API_KEY="rk_test_x")
            assert refused.returncode == 4, refused.stderr
            assert f"PID {holder.pid}" in refused.stderr
            assert len(refused.stderr.splitlines()) == 1


def test_a_data_file_is_no_warehouse(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("id,name\n1,x\n")
    with pytest.raises(WarehouseFailed, match=r"customers\.csv is a file of another kind"):
        open_warehouse(tmp_path / "customers.csv")
    open_warehouse(tmp_path / "new.csv").close()  # a name alone is no reason


def test_another_account_or_mode_than_the_warehouse_holds_is_refused(stub: StubStripe, tmp_path: Path) -> None:
    load_quietly(stub, tmp_path)
    before = rows(tmp_path, "select count(*) from raw_stripe.load_report")

    for account, key, words in (
        ("acct_stub", "rk_live_x", r"holds acct_stub \(test mode\) and the key is for acct_stub \(live mode\)"),
        ("acct_other", "rk_test_x", r"holds acct_stub \(test mode\) and the key is for acct_other \(test mode\)"),
    ):
        stub.account = stub.account.replace(b"acct_stub", account.encode())
        with pytest.raises(OtherAccount, match=words) as refusal:
            load_quietly(stub, tmp_path, key)
        assert refusal.value.exit_code == 6
        assert "METERWISE_DATA" in str(refusal.value)

    assert rows(tmp_path, "select count(*) from raw_stripe.load_report") == before


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        ("", 2, "STRIPE_API_KEY is not set"),
        ("pk_test_abc", 6, "publishable key"),
        ("secret", 2, "is no Stripe key"),
    ],
)
def test_a_key_that_cannot_read_is_refused_with_the_next_step(tmp_path: Path, key: str, code: int, words: str) -> None:
    refused = module(tmp_path, "dlt_pipelines", "load", STRIPE_API_KEY=key)

    assert refused.returncode == code
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_a_live_restricted_key_is_fine_for_loading_and_never_shows() -> None:
    settings = read_settings({"STRIPE_API_KEY": "rk_live_51abc"})
    require_key(settings)

    assert settings.is_live
    assert "51abc" not in repr(settings)


def test_a_folder_that_cannot_be_written_is_one_sentence(stub: StubStripe, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refused = module(tmp_path / "file" / "data", "dlt_pipelines", "load", STRIPE_API_KEY="rk_test_x")

    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_prefix_that_tells_what_to_set_stays_readable() -> None:
    assert str(LoaderError("set it to rk_test_… or rk_live_…, not sk_test_1")) == (
        "set it to rk_test_… or rk_live_…, not sk_test_…"
    )


def test_a_refusal_never_prints_a_key() -> None:
    assert "abc" not in str(LoaderError("the key rk_live_51abc\n and whsec_abc"))
    assert Settings(Path()).api_base == "https://api.stripe.com"
