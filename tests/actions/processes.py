"""Other processes: copies of this one, warm from the start, that the kernel may end."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from actions.errors import ActionError
from tests.actions.harness import DiesAt


class KilledAt(DiesAt):
    """SIGKILL at the n-th point."""

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.n:
            os.kill(os.getpid(), signal.SIGKILL)


def forked(work: Callable[[], object]) -> int:
    """Runs `work` in a copy of this process, warm from the start; returns its id. Exit code 1 when it raised."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except ActionError:
        code = 3
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Exit code, or minus the signal, of a forked process."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
