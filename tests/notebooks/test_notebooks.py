"""The notebooks run from top to bottom on a finished run."""

from __future__ import annotations

from pathlib import Path

from tests.commands import ROOT, module


def test_every_notebook_runs_and_draws_its_picture(first_run: tuple[Path, str]) -> None:
    data, _ = first_run
    names = ("revenue_forecast", "usage_forecast")
    for name in names:
        (ROOT / "build" / f"{name}.png").unlink(missing_ok=True)
    done = module(data, "notebooks")
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f"{name}.py -> build/{name}.ipynb" in done.stdout
        assert (ROOT / "build" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    failed = module(tmp_path, "notebooks")
    assert failed.returncode == 1
    assert "make run" in failed.stderr


def test_no_notebook_output_is_committed() -> None:
    assert list((ROOT / "notebooks").glob("*.ipynb")) == []
