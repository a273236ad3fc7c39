"""The loopback Stripe as a process of its own: prints its address, serves until stdin closes, forgets what it noted."""

from __future__ import annotations

import sys
import threading

from tests.actions.fault_server import World, serving

KEPT = 1_000  # objects and keys that it remembers; a soak makes more than memory should hold


def forget(world: World) -> None:
    """A server that remembers everything would be what the soak measures."""
    with world.lock:
        world.requests.clear()
        world.done.clear()
        for old in list(world.keys)[:-KEPT]:
            world.keys.pop(old)
            world.kept_at_us.pop(old, None)
        for path in list(world.objects.by_path)[100:-KEPT]:
            world.objects.by_path.pop(path)
    timer = threading.Timer(1, forget, (world,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    world = World()
    with serving(world) as address:
        print(address, flush=True)
        forget(world)
        sys.stdin.read()
