"""`python -m actions`: the command line of the action runner."""

from actions.cli import cli

if __name__ == "__main__":
    cli(prog_name="python -m actions")
