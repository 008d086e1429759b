"""The run that made a saved model: by the file beside the model, else by the digest of the model's bytes."""

from __future__ import annotations

import os
import stat
from os import PathLike
from pathlib import Path

from otel_experiments.artifacts.digest import digest_of
from otel_experiments.codec.model_link import MAX_LINK_BYTES, ModelLink, NoLinkError, link_path, load_link
from otel_experiments.errors import ArtifactSourceError, ModelRunNotFoundError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.process.interruption import pass_on
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_view import RunView


def read_link(model: str | PathLike[str]) -> tuple[ModelLink | None, str]:
    """Return what the file beside a model says, and else why it says nothing."""
    path = link_path(model)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LINK_BYTES + 1)
        if len(data) > MAX_LINK_BYTES:
            return None, f"{path.name} is larger than such a file is"
        link = load_link(data.decode())
        seen = Path(model).stat()
    except FileNotFoundError as error:
        pass_on(error)
        gone = path if error.filename == str(path) else Path(model)
        return None, f"{gone.name} is not there"
    except (OSError, UnicodeDecodeError, NoLinkError) as error:
        pass_on(error)
        return None, f"{path.name}: {error}"
    if stat.S_ISREG(seen.st_mode) and seen.st_size != link.size_bytes:
        return (
            None,
            f"{path.name} is of a model of {link.size_bytes:,} bytes, and this one has {seen.st_size:,}",
        )
    return link, ""


def run_of_model(reader: Reader, model: str | PathLike[str]) -> RunView:
    """Return the run that made a saved model.

    Raises:
        ModelRunNotFoundError: the store has no such run; `link` is what the file beside the model says.
    """
    link, why = read_link(model)
    if link is not None:
        record = reader.store.get_run(link.run_id)
        if record is not None:
            return reader.run(link.run_id)
        why = f"the file beside it names run {link.run_id}, which this store has not"
    try:
        found = reader.store.artifacts(ArtifactQuery(role=None, digest=digest_of(model)))
    except ArtifactSourceError as error:
        found, why = [], error.why
    else:
        why = f"{why}, and it has no artifact with these bytes"
    if not found:
        raise ModelRunNotFoundError(
            model=os.fspath(model),
            store=reader.location,
            why=why,
            elsewhere="" if link is None else link.store,
        )
    return reader.run(max(found, key=lambda one: one.logged.time_ns).logged.run_id)
