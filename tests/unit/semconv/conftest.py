"""The vocabulary's source on the path, and a small vocabulary that a test may break."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "semconv"))

GOOD = """
file_format: definition/2
attributes:
  - key: ml.operation.name
    stability: development
    brief: The operation.
    type:
      members:
        - {id: run, value: run, brief: A run., stability: development}
    annotations: {golden: config, closed: true}
  - key: ml.run.id
    type: string
    stability: development
    brief: Identity of the run.
    examples: ["0af7651916cd43dd8448eb211c80319c"]
    annotations: {golden: volatile, cardinality: unbounded}
  - key: ml.model.name
    type: string
    stability: development
    brief: Name of the model.
    examples: ["resnet"]
    annotations: {golden: config}
spans:
  - type: ml.run
    kind: internal
    name: {note: "{ml.operation.name} {ml.model.name}"}
    stability: development
    brief: A run.
    annotations:
      match: {attribute: ml.operation.name, values: [run]}
    attributes:
      - {ref: ml.operation.name, requirement_level: required}
      - {ref: ml.model.name, requirement_level: recommended}
metrics:
  - name: ml.run.duration
    instrument: histogram
    unit: s
    stability: development
    brief: Duration of runs.
    annotations: {boundaries: [0.5, 60]}
    attributes:
      - {ref: ml.model.name, requirement_level: {conditionally_required: if there is one}}
events:
  - name: ml.run.start
    stability: development
    brief: A run has started.
entities:
  - type: ml.run
    stability: development
    brief: A run.
    identity: [{ref: ml.run.id}]
"""


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a small good vocabulary, some of its text replaced, and return its folder."""

    def make(
        *replacements: tuple[str, str], more: str = "", schema_url: str = "https://example.org/ml/1.2.3"
    ) -> Path:
        text = GOOD
        for old, new in replacements:
            assert old in text, f"the small vocabulary has no {old!r}"
            text = text.replace(old, new)
        model = tmp_path / "model"
        (model / "ml").mkdir(parents=True, exist_ok=True)
        (model / "manifest.yaml").write_text(f"schema_url: {schema_url}\n")
        (model / "ml" / "registry.yaml").write_text(text)
        if more:
            (model / "ml" / "more.yaml").write_text("file_format: definition/2\n" + dedent(more))
        return model

    return make
