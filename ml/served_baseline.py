"""How MLflow serves a champion that is no XGBoost model. Run by MLflow only (models from code), never imported here.

It stands alone: MLflow copies this file into the model's folder, beside `spec.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Baseline(PythonModel):  # type: ignore[misc] # mlflow ships no usable types
    """Feature columns in; churn probability, or usage over the item's own level, out."""

    def load_context(self, context: Any) -> None:
        self.spec: dict[str, Any] = json.loads(Path(context.artifacts["spec"]).read_text())

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One column `prediction`, a row per input row."""
        method = self.spec["method"]
        if method == "seasonal_naive":
            said = model_input["same_weekday_last_over_level"].to_numpy(np.float64)
        elif method == "weekday_mean":
            said = model_input["same_weekday_mean_4_over_level"].to_numpy(np.float64)
        elif method == "base_rate":
            said = np.full(len(model_input), self.spec["base_rate"])
        else:
            rule = {name: np.array(values) for name, values in self.spec["logistic"].items()}
            values = model_input[self.spec["features"]].to_numpy(np.float64)
            filled = np.where(np.isnan(values), rule["median"], values)
            margin = ((filled - rule["mean"]) / rule["spread"] * rule["weight"]).sum(axis=1) + rule["intercept"]
            said = 1 / (1 + np.exp(-margin))
        return pd.DataFrame({"prediction": said})


set_model(Baseline())
