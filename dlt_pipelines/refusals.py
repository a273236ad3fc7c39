"""Refusals as one sentence on stderr and an exit code, for every command of this package."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import click

from dlt_pipelines.errors import LoaderError

INTERRUPTED = 130  # the shell's own code for Ctrl-C
Arguments = ParamSpec("Arguments")


def refusals_as_exit_codes(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Tell a LoaderError in one sentence on stderr and exit with its code; Ctrl-C says that nothing is lost."""

    @functools.wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LoaderError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted; what was landed stays valid: run the same command again to finish.", err=True)
            sys.exit(INTERRUPTED)

    return wrapped
