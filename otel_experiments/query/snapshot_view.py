"""What a run's code, packages and machine were when its latest attempt started, as a reader sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events
from otel_experiments.store.semantics.snapshots import TAKING_NS

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord


class SnapshotView:
    """What was gathered of a run's surroundings; each part is empty where it is not known.

    Attributes:
        parts: everything as it was recorded, see the event `ml.run.environment`.
        missing_run_id: the run that has the same and is not in this store; empty where nothing is missing.
    """

    def __init__(self, run_id: str, read: Callable[[str, str], list[LogRecord]]) -> None:
        """Take the latest of a run's events; `read` returns those of a run with a name."""
        name = events.ML_RUN_ENVIRONMENT.name
        own, starts = read(run_id, name), read(run_id, events.ML_RUN_START.name)
        sources = [one for one in starts if attr.ML_ENVIRONMENT_RUN_ID in one.attributes]
        self.missing_run_id = ""
        if sources and (not own or own[-1].time_ns < sources[-1].time_ns):
            source = str(sources[-1].attributes[attr.ML_ENVIRONMENT_RUN_ID])
            shared = [one for one in read(source, name) if one.time_ns < sources[-1].time_ns + TAKING_NS][-1:]
            own = shared or own  # a run that was taken out of its store alone has what it shared
            self.missing_run_id = "" if own else source
        body = own[-1].body if own else None
        self.parts: Mapping[str, object] = body if isinstance(body, Mapping) else {}

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def packages(self) -> dict[str, str]:
        """The installed packages with their versions."""
        return dict(line.partition("==")[::2] for line in self.requirements.splitlines())

    @property
    def requirements(self) -> str:
        """The installed packages as a file that pip reads; empty where they are not known."""
        return _text(self.parts.get("packages"))

    @property
    def editable(self) -> dict[str, dict[str, str]]:
        """Packages that were installed from a folder to work on: its path, revision and the digest of its code."""
        return {
            name: {k: _text(v) for k, v in _map(facts).items()}
            for name, facts in self._part("editable").items()
        }

    @property
    def is_dirty(self) -> bool | None:
        """Whether the checkout had changes that were not committed, or files that git does not know; None if not known."""
        found = self._part("git").get("is_dirty")
        return found if isinstance(found, bool) else None

    @property
    def patch(self) -> str:
        """What was not committed, as `git apply` takes it; empty where nothing was, or it was too large."""
        return _text(self._part("git").get("patch"))

    @property
    def git(self) -> Mapping[str, object]:
        """Everything about what was not committed: counts, names, size and digest of the patch, or a `problem`."""
        return self._part("git")

    @property
    def script(self) -> Mapping[str, object]:
        """The file that the program was started with: `path` and `hash`."""
        return self._part("script")

    @property
    def machine(self) -> Mapping[str, object]:
        """Processor, memory and accelerators, with what the process may use of them. Sizes in bytes."""
        return self._part("machine")

    @property
    def variables(self) -> Mapping[str, object]:
        """Environment variables that change what a training computes or how fast."""
        return self._part("variables")

    @property
    def job(self) -> Mapping[str, object]:
        """What the systems that started the job say of it, by system: `slurm`, `kubernetes`, `github`, ..."""
        return self._part("job")

    def __repr__(self) -> str:
        return f"SnapshotView({', '.join(self.parts) or 'nothing recorded'})"

    def _part(self, name: str) -> Mapping[str, object]:
        return _map(self.parts.get(name))


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
