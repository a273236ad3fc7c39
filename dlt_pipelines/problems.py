"""What a load can meet and get over: one name and one sentence each."""

from dlt_pipelines.rows import Tally

# Each sentence says what was met, how often, and what became of it; none of these loses data.
PROBLEMS = {
    "truncated_body": "{count} × an answer ended before its end; each was asked for again.",
    "not_json": "{count} × an answer was not JSON; each was asked for again.",
    "repeated_cursor": "{count} × a page led back to one that had been read; each was asked for again.",
    "skewed_clock": "{count} × an answer's Date was far from Stripe's clock; it was not believed.",
    "cursor_gone": "{count} × the object after which a list was to go on had been deleted; "
    "the list went on after the one before it.",
    "no_id": "{count} × an object had no id and was left out: its versions could not be told from another's; "
    "tell Stripe if it repeats.",
    "odd_shape": "{count} × an object had a field of another type than Stripe documents; "
    "it was kept as sent, and what hangs on it was read by itself.",
    "beyond_2_53": "{count} × a usage value is beyond 2^53, where Stripe's own number is no longer exact; "
    "it was kept as sent.",
    "deleted_parent": "{count} × an object was deleted while what belongs to it was read; "
    "what had landed of it is kept.",
    "unknown_event": "{count} × an event told of a kind of object that is not loaded; "
    "the event was kept, and nothing else was needed.",
    "missed_by_events": "{count} × reading a list whole found a version that no event had told of; "
    "it is loaded now: set sources.stripe.whole_reread_days lower if it matters sooner.",
}


def problem_lines(table: str, tally: Tally) -> list[str]:
    """One line per problem that `table` met, in the order of PROBLEMS, with the first example; none of a clean load."""
    lines = []
    for name, sentence in PROBLEMS.items():
        if count := tally.problems.get(name, 0):
            example = tally.examples.get(name, "")
            lines.append(f"{table}: {sentence.format(count=count)}" + (f" First: {example}." if example else ""))
    return lines
