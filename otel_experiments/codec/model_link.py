"""The file beside a saved model that says which run made it: JSON that people and other programs can read as well.

It is beside the model, not in it: the bytes of the model stay as they were saved, whatever their format, and so does their
digest, by which the run is found where the file was left behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

from otel_experiments.model.artifact import parse_digest

LINK_SUFFIX: Final = ".otel-experiments.json"
LINK_TYPE: Final = "otel-experiments.model"
LINK_VERSION: Final = 1
MAX_LINK_BYTES: Final = 64 << 20


class NoLinkError(ValueError):
    """A text is no link of a model; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelLink:
    """Which run made a model.

    Attributes:
        digest, size_bytes: of the model's bytes when it was linked.
        name: the artifact's name in its experiment.
        store: the address of the store that has the run.
        run: what the run knows, as `show --json` prints it: id, params, tags, summaries of its metrics.
        used: the artifacts that the run used: experiment, name, digest.
    """

    digest: str
    size_bytes: int
    name: str
    store: str
    run: Mapping[str, Any]
    used: tuple[Mapping[str, str], ...] = ()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.run["run_id"])


def link_path(model: str | PathLike[str]) -> Path:
    """Return where the link of a model is."""
    path = Path(os.path.abspath(model))  # noqa: PTH100 - links stay as they are, and a `/` at the end goes
    return path.with_name(path.name + LINK_SUFFIX)


def dump_link(link: ModelLink) -> str:
    """Return the text of a link; `run` and `used` hold what JSON can hold."""
    whole = {
        "type": LINK_TYPE,
        "version": LINK_VERSION,
        "artifact": {"name": link.name, "digest": link.digest, "size_bytes": link.size_bytes},
        "store": link.store,
        "run": dict(link.run),
        "used": [dict(one) for one in link.used],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def load_link(text: str) -> ModelLink:
    """Return the link that a text holds.

    Raises:
        NoLinkError: it holds none, or one of a newer release.
    """
    try:
        whole = json.loads(text)
        if not isinstance(whole, dict) or whole.get("type") != LINK_TYPE:
            raise NoLinkError(f"it is no {LINK_TYPE}")
        if whole.get("version") != LINK_VERSION:
            raise NoLinkError(f"it has version {whole.get('version')!r}; this release reads {LINK_VERSION}")
        artifact, digest = whole["artifact"], parse_digest(str(whole["artifact"]["digest"]))
        if digest is None or digest[1] or not isinstance(whole["run"], dict) or "run_id" not in whole["run"]:
            raise NoLinkError("it names no run and no digest")
        return ModelLink(
            digest=digest[0],
            size_bytes=int(artifact["size_bytes"]),
            name=str(artifact["name"]),
            store=str(whole["store"]),
            run=whole["run"],
            used=tuple(whole.get("used") or ()),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, NoLinkError):
            raise
        raise NoLinkError(f"it cannot be read ({type(error).__name__})") from None
