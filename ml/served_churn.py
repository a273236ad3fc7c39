"""How MLflow serves churn risk. Run by MLflow only (models from code), never imported here.

It stands alone: MLflow copies this file into the model's folder, beside `spec.json` and the boosters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Risk(PythonModel):  # type: ignore[misc] # mlflow ships no usable types
    """The model's columns in (features in the form it learned them); probability of leaving within the longest horizon
    out.
    """

    def load_context(self, context: Any) -> None:
        spec = json.loads(Path(context.artifacts["spec"]).read_text())
        horizon = max(spec["models"], key=int)
        self.head: dict[str, Any] = spec["models"][horizon]
        self.booster = None
        if f"risk_{horizon}" in context.artifacts:
            import xgboost

            self.booster = xgboost.Booster({"nthread": 1}, model_file=context.artifacts[f"risk_{horizon}"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One column `prediction`, a row per input row."""
        head, values = self.head, model_input.to_numpy(np.float64)
        rule = head["logistic"] if head["method"] == "logistic" else head["ridge"]
        if rule is None:
            return pd.DataFrame({"prediction": np.full(len(values), head["base_rate"])})
        filled = np.clip(np.where(np.isnan(values), np.array(rule["median"]), values), rule["low"], rule["high"])
        scaled = (filled - np.array(rule["mean"])) / np.array(rule["spread"])
        margin = (scaled * np.array(rule["weight"])).sum(axis=1) + rule["intercept"]
        if self.booster is not None:
            import xgboost

            data = xgboost.DMatrix(values.astype(np.float32), feature_names=self.booster.feature_names)
            trees = self.booster.predict(data, output_margin=True)
            margin = (1 - head["share"]) * margin + head["share"] * trees
        return pd.DataFrame({"prediction": 1 / (1 + np.exp(-(head["shift"] + head["slope"] * margin)))})


set_model(Risk())
