"""What a training run leaves in MLflow: parameters, metrics, pictures and the files of a model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import xgboost
    from mlflow import MlflowClient

SERVED = Path(__file__).with_name("served_baseline.py")
CARD = "model_card.md"
PER_BATCH = 1000  # metrics that MLflow takes in one call


@dataclass(frozen=True)
class Candidate:
    """A fitted model to be registered. example: a few feature rows without ids; main: the booster MLflow serves.

    pictures: file name -> PNG; frames: tables kept as `<name>.parquet`. tags hold trained_at, naive UTC.
    served: the file of code by which MLflow serves a model that is more, or less, than one booster; card: what people
    should know of the model, Markdown.
    """

    model: str
    method: str
    spec: Mapping[str, Any]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    example: pd.DataFrame
    boosters: Mapping[str, xgboost.Booster]
    main: str = "mean"
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    served: Path | None = None
    card: str = ""

    def log(self, client: MlflowClient, run_id: str) -> None:
        """Write parameters and metrics to the run, the model to its folder `model` and the pictures to `plots`."""
        from mlflow.entities import Metric, Param

        client.log_batch(run_id, params=[Param(name, value) for name, value in self.params.items()])
        at = round(datetime.fromisoformat(self.tags["trained_at"]).replace(tzinfo=UTC).timestamp() * 1000)
        metrics = [Metric(name, value, at, 0) for name, value in self.metrics.items()]
        for start in range(0, len(metrics), PER_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + PER_BATCH])
        with tempfile.TemporaryDirectory() as scratch:
            self.save(Path(scratch) / "model")
            plots = Path(scratch) / "plots"
            plots.mkdir()
            for name, image in self.pictures.items():
                (plots / name).write_bytes(image)
            if self.card:
                (Path(scratch) / CARD).write_text(self.card)
            client.log_artifacts(run_id, scratch)

    def save(self, folder: Path) -> None:
        """Write the MLflow model, then the other files beside it. Requirements are given: inferring them takes 20 s."""
        from mlflow.models import infer_signature

        example = self.example.astype("float64")
        signature = infer_signature(example, pd.DataFrame({"prediction": [0.0]}))
        pinned = [f"{name}=={installed(name)}" for name in ("numpy", "pandas")]
        given: dict[str, Any] = {"signature": signature, "input_example": example, "pip_requirements": pinned}
        if self.boosters:
            pinned.append(f"xgboost-cpu=={installed('xgboost-cpu')}")
        if self.boosters and self.served is None:
            import mlflow.xgboost

            mlflow.xgboost.save_model(self.boosters[self.main], folder, **given)
        else:
            import mlflow.pyfunc

            with tempfile.TemporaryDirectory() as scratch:
                files = {"spec": Path(scratch) / "spec.json"}
                files["spec"].write_text(json.dumps(self.spec))
                for head, booster in self.boosters.items():
                    files[head] = Path(scratch) / f"{head}.ubj"
                    booster.save_model(files[head])
                kept_with = {name: str(file) for name, file in files.items()}
                mlflow.pyfunc.save_model(folder, python_model=str(self.served or SERVED), artifacts=kept_with, **given)
        kept = {**self.spec, "heads": sorted(self.boosters), "frames": sorted(self.frames)}
        (folder / "spec.json").write_text(json.dumps(kept, sort_keys=True))
        for name, frame in self.frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        for head, booster in self.boosters.items():
            booster.save_model(folder / f"{head}.ubj")
