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
    """Feature columns in; usage over the item's own level out."""

    def load_context(self, context: Any) -> None:
        self.spec: dict[str, Any] = json.loads(Path(context.artifacts["spec"]).read_text())

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One column `prediction`, a row per input row."""
        method = self.spec["method"]
        if method == "seasonal_naive":
            said = model_input["same_weekday_last_over_level"].to_numpy(np.float64)
        else:
            said = model_input["same_weekday_mean_4_over_level"].to_numpy(np.float64)
        return pd.DataFrame({"prediction": said})


set_model(Baseline())
