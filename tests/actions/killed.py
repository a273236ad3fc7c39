"""Run by tests in a process of its own: `apply --send`, killed by the kernel at the n-th point, or never for 0."""

from __future__ import annotations

import os
import signal
import sys

from actions.apply import Runner, only_runner
from actions.clock import Clock
from actions.ledger import Ledger
from actions.policy import read_policy
from actions.port import StripeWriter
from actions.settings import read_settings
from actions.state import Actor, choose, load_all


class KilledAt:
    """SIGKILL at the n-th point."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    settings, point, clock = read_settings(os.environ), KilledAt(int(sys.argv[1])), Clock()
    ledger = Ledger(settings.ledger, settings.head, clock, point)
    with only_runner(settings.ledger):
        port = StripeWriter(settings.actions_key, settings, clock)
        runner = Runner(ledger, port, read_policy(), Actor("ada", "os_user"), False, point)
        runner.check_account()
        for action in choose(load_all(ledger), (), True):
            runner.run(action, True)
