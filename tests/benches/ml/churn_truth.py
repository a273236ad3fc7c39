"""How near the churn risk comes to the hazard that the sandbox's customers really have: several companies, their truth.

The true hazard is the one in force on the day, as the sandbox computed it at the last monthly return of the signup.
Both rank the same customers by the same labels of the warehouse, 30 and 90 days. Who has cancelled already is among
them: the hazard does not know of that, the warehouse does. `decision` is the truth's own event, whether a customer
gives up at the return that follows; `next` is the hazard of that very decision, which nobody knows on the day.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.companies import HERE, Company
from tests.benches.ml.stages import LOAD, dbt

COMPANIES = (
    Company("default_1", 1, customers=300),
    Company("default_2", 2, customers=300),
    Company("default_3", 3, customers=300),
    Company("seasonal", 5, "seasonal.toml", customers=300),
    Company("growing", 6, "growing.toml", customers=300),
)
NEAR = 0.02  # that the ROC may be below the true hazard's own
MUST = {"churn_truth_roc_30_gap": Mark(most=NEAR), "churn_truth_roc_90_gap": Mark(most=NEAR)}
# places in a row of judge_churn
GAVE_UP, NEXT, IN_FORCE, STANDS, SAID_30, LEFT_30, SAID_90, LEFT_90 = range(8)


def measure(folder: Path) -> dict[str, float]:
    """Figures of each company, then of all together."""
    flat: dict[str, float] = {}
    everything: list[list[Any]] = []
    for company in COMPANIES:
        found = of_company(folder / company.name, company)
        shutil.rmtree(folder / company.name)
        flat |= {f"churn_truth_{company.name}_{name}": value for name, value in figures(found).items()}
        print(f"{company.name}: done", flush=True)
        everything += found
    return flat | {f"churn_truth_{name}": value for name, value in figures(everything).items()}


def of_company(data: Path, company: Company) -> list[list[Any]]:
    """Make the company, build its features, fit as of earlier months, put the truth beside: judge_churn's rows."""
    file = () if company.file is None else ("--company", str(HERE / "companies" / company.file))
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size, *file)
    run(data, *LOAD)
    dbt(data, "--select", "+customer_asof", "+churn_labels")
    truth = data / "truth.json"
    truth.write_text(run(data, "sandbox", "truth", "--json", "--table", "customers", "--table", "hazards").printed)
    printed = run(data, "tests.benches.ml.judge_churn", str(data / "warehouse.duckdb"), str(truth)).printed
    found: list[list[Any]] = json.loads(printed)
    return found


def figures(rows: list[list[Any]]) -> dict[str, float]:
    """ROC by label and by decision, ours and the truth's own, and how far ours is below."""
    flat: dict[str, float] = {}
    for days, said, left in ((30, SAID_30, LEFT_30), (90, SAID_90, LEFT_90)):
        known = [row for row in rows if row[left] is not None]
        # in the first months of a life nobody gives up
        ours, own = roc(known, left, said), roc(known, left, IN_FORCE)
        flat |= {f"roc_{days}": ours, f"roc_{days}_true": own, f"roc_{days}_gap": round(own - ours, 4)}
        flat |= {f"labels_{days}": len(known), f"left_{days}": sum(bool(row[left]) for row in known)}
    decided = [row for row in rows if row[GAVE_UP] is not None and row[IN_FORCE] is not None]
    flat |= {"decisions": len(decided), "gave_up": sum(bool(row[GAVE_UP]) for row in decided)}
    names = {"said": SAID_30, "in_force": IN_FORCE, "stands": STANDS, "next": NEXT}
    return flat | {f"roc_decision_{name}": roc(decided, GAVE_UP, place) for name, place in names.items()}


def roc(rows: list[list[Any]], label: int, score: int) -> float:
    """Area under the ROC curve by the scorer of scikit-learn; an unknown hazard is none."""
    from sklearn.metrics import roc_auc_score

    scores = [0.0 if row[score] is None else row[score] for row in rows]
    return round(float(roc_auc_score([bool(row[label]) for row in rows], scores)), 4)
