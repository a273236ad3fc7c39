"""What people should know of a version of churn risk before they act on it: a card in words, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from ml import churn_columns, model_plots
from ml.churn_gate import Verdict
from ml.churn_model import BLEND, LOGISTIC, RIDGE, Model
from ml.churn_scoring import Head

MAKES = {
    BLEND: "penalised logistic regression and shallow trees, their margins added",
    RIDGE: "penalised logistic regression (trees added nothing in cross-validation)",
    LOGISTIC: "plain logistic regression, the baseline",
}


def text(as_of: date, heads: Mapping[int, tuple[Verdict, int, Head]]) -> str:
    """The card, Markdown. heads: horizon -> what the gate said, how many labels were learned from, what serves."""
    lines = [
        f"# Churn risk as of {as_of}",
        "",
        "Probability that a customer with a living subscription leaves within the horizon: the day a cancellation",
        "takes effect, or the first of 30 days under a tenth of its own usage. Who has asked to leave is not",
        "predicted: the row carries the share of such customers that left.",
        "",
        "It says who to look at first, and what MRR to expect to lose. It does not say what would keep a customer:",
        "it was learned from what happened, not from experiments. Labels count 30 days after their horizon ends.",
    ]
    for horizon, (verdict, labels, head) in sorted(heads.items()):
        made = MAKES.get(verdict.method, "the share that left, for everybody alike")
        lines += ["", f"## Within {horizon} days", "", f"Served by {made}; learned from {labels} customer months."]
        if verdict.held_out is not None:
            table = verdict.figures[verdict.figures["segment"] == "all"]
            lines += ["", "| held out | serves | plain logistic |", "|---|---|---|"]
            lines += [
                f"| {row.metric} | {row.value:.3f} | {row.baseline_value:.3f} |"
                for row in table.itertuples(index=False)
            ]
        lines += ["", *(f"- {'yes' if one.passed else 'NO'}: {one.text}" for one in verdict.checks)]
        if not verdict.checks:
            lines.append(f"- not judged: {verdict.reason}")
        lines.append(f"- of those who had asked to leave, {head.leaving_rate:.0%} were gone by then")
    lines += ["", "## Signs held on purpose", "", "By all but plain logistic regression, which holds none.", ""]
    signs = {1: "more never lowers the risk", -1: "more never raises the risk"}
    lines += [f"- {name}: {signs[sign]}; {why}" for name, (sign, why) in churn_columns.SIGNS.items()]
    return "\n".join(lines) + "\n"


def pictures(verdicts: Mapping[int, Verdict], main: Model) -> dict[str, bytes]:
    """Reliability of the held-out probabilities at each horizon, and what the longest one's model looks at."""
    found = {}
    for horizon, verdict in verdicts.items():
        if verdict.held_out is not None:
            said = {verdict.method: verdict.held_out.contender, LOGISTIC: verdict.held_out.logistic}
            if not verdict.passed:
                said = {"contender": verdict.held_out.contender, LOGISTIC: verdict.held_out.logistic}
            suffix = "" if horizon == max(verdicts) else f"_{horizon}"
            found[f"calibration{suffix}.png"] = model_plots.reliability(verdict.held_out.label, said)
    rule = main.ridge or (main.logistic if main.method == LOGISTIC else None)
    if rule is not None:
        found["importance.png"] = model_plots.weights([column.name for column in main.columns], rule.weight)
    return found
