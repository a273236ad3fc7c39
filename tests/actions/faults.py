"""The faults that the proof is made of, by name: docs/actions.md lists the same ones."""

from __future__ import annotations

# Of a write: is it carried out, is the answer kept under its key, what the client gets.
FAULTS: dict[str, tuple[bool, bool, str]] = {
    "drop before": (False, False, "drop"),
    "drop after": (True, True, "drop"),
    "stall": (True, True, "stall"),
    "truncated body": (True, True, "truncate"),
    "not JSON": (True, True, "garbage"),
    "empty body": (True, True, "empty"),
    "500 before, not kept": (False, False, "500"),
    "500 before, kept": (False, True, "500"),
    "500 after, kept": (True, True, "500"),
    "502 after": (True, True, "502"),
    "429": (False, False, "429"),
    "409": (False, False, "409"),
}
SAID: dict[str, str] = {
    "drop before": "the connection ends before Stripe has done anything",
    "drop after": "Stripe has done it, the connection ends before its answer",
    "stall": "Stripe has done it, its answer comes after we stopped waiting",
    "truncated body": "Stripe has done it, its answer is cut short",
    "not JSON": "Stripe has done it, a page of a proxy comes in place of its answer",
    "empty body": "Stripe has done it, its answer is 200 with nothing in it",
    "500 before, not kept": "an error of Stripe's, nothing done, the key still free",
    "500 before, kept": "an error of Stripe's, nothing done, repeated for the same key",
    "500 after, kept": "an error of Stripe's though it was done, repeated for the same key",
    "502 after": "a gateway's error though it was done",
    "429": "too many requests, nothing done",
    "409": "the object or the key is in use, nothing done",
}
# Stripe says no, in so many words: nothing is done.
NOT_DONE = {"402": "card_declined", "404": "resource_missing", "400": "parameter_invalid", "403": "", "401": ""}
# The runner's process ends in the middle of a call, which no point in the code can stand for.
KILLS: dict[str, tuple[bool, bool, str]] = {
    "killed while waiting, not done": (False, False, "kill"),
    "killed while waiting, done": (True, True, "kill"),
}
# What a crash leaves behind, apart from Stripe's answers.
OTHERS: dict[str, str] = {
    "crash": "the process ends at any point before or after a commit, a head, or a call",
    "25 hours": "Stripe has forgotten the keys when the next run begins",
    "another plan": "the recommendation changed and was planned again in between",
    "SIGKILL": "the kernel ends the process: at a point, or while it waits for Stripe",
    "two runners": "four processes at once, past the file lock as well",
    "live state changed": "what the plan took for granted is not so any more",
    "ledger altered": "a byte, a row, the tail, the file or its head is not what was written",
}
EVERY_NAME = (*SAID, *(f"killed while waiting, {done}" for done in ("not done", "done")), *OTHERS)
