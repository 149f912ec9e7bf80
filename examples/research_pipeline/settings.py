"""Where things are and who answers: the options of the commands and the environment, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from examples.research_pipeline.embedding import Embedder, HashingEmbedder
from examples.research_pipeline.models import Analyst
from examples.research_pipeline.standin import StandIn

MODEL_VARIABLE = "OUTLIVE_MODEL"
EMBEDDING_VARIABLE = "OUTLIVE_EMBEDDING_MODEL"


@dataclass(frozen=True)
class DataFolder:
    """The pipeline's files."""

    folder: Path

    @property
    def database(self) -> Path:
        """Documents, vectors, answers and costs."""
        return self.folder / "pipeline.db"

    @property
    def call_log(self) -> Path:
        """The append-only log of model calls."""
        return self.folder / "model-calls.jsonl"

    @property
    def reports(self) -> Path:
        """The folder of the reports."""
        return self.folder / "reports"


def analyst_from_environment(pace: float) -> Analyst:
    """The model named in OUTLIVE_MODEL, or the stand-in (each of whose calls lasts `pace` seconds).

    Raises ModelRefused if the name or the key cannot work.
    """
    name = os.environ.get(MODEL_VARIABLE)
    if not name:
        return StandIn(pace)
    # Imported here: Pydantic AI takes a second to load, which a worker without a model need not wait for.
    from examples.research_pipeline.language_model import LanguageModel

    return LanguageModel(name)


def embedder_from_environment() -> Embedder:
    """The model named in OUTLIVE_EMBEDDING_MODEL, or feature hashing. Raises ModelRefused as above."""
    name = os.environ.get(EMBEDDING_VARIABLE)
    if not name:
        return HashingEmbedder()
    from examples.research_pipeline.language_model import ModelEmbedder

    return ModelEmbedder(name)
