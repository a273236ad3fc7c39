"""`python -m notebooks`: execute every notebook against the published marts, into build/."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_PER_CELL = 300


def execute(script: Path, target: Path) -> None:
    """Run one percent script as a notebook from the repository's root and save it, with its outputs, to `target`.

    Raises nbclient's CellExecutionError with the cell's own traceback when a cell fails.
    """
    import jupytext
    import nbformat
    from nbclient import NotebookClient

    notebook = jupytext.read(script)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE.parent)}},
    )
    client.execute()
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def main() -> int:
    """Execute all notebooks; the exit code is 1 at the first that fails, with its last line said."""
    for script in sorted(HERE.glob("[a-z]*.py")):
        target = HERE.parent / "build" / f"{script.stem}.ipynb"
        try:
            execute(script, target)
        except Exception as error:  # whatever a cell raises ends here, as one sentence
            print(
                f"{script.name} failed: {str(error).strip().splitlines()[-1]}; run `make run` first.", file=sys.stderr
            )
            return 1
        print(f"{script.name} -> {target.relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
