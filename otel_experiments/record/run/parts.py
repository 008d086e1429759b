"""The parts of a run, put together. This package works with them; users have `Run`, which shows none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.process.fork import at_fork
from otel_experiments.record.base.current import active_runs, silent_runs
from otel_experiments.record.run.artifacts import Artifacts
from otel_experiments.record.run.checkpoints import Checkpoints
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.given_values import GivenValues
from otel_experiments.record.run.labels import Labels
from otel_experiments.record.run.life import RunLife
from otel_experiments.record.run.life_cycle import LifeCycle
from otel_experiments.record.run.media import MediaRecorder
from otel_experiments.record.run.recording import Recording
from otel_experiments.record.run.work import Work
from otel_experiments.record.spans.loops import Loops

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort


class RunParts:
    """The parts of one run.

    Attributes:
        core: what they share, and the run as the rest of `record` knows it.
        life: states, pauses, block and end.
        recording: points, params, tags, events, counts.
        labels: name, group, note and tags, while the run is recorded.
        artifacts: bytes that are kept, used and named.
        checkpoints: the events of saved checkpoints.
        work: stages, epochs, steps and the other spans.
        loops: the chunk traces of long runs.
    """

    __slots__ = ("artifacts", "checkpoints", "core", "labels", "life", "loops", "recording", "work")

    def __init__(self, core: RunCore, cycle: LifeCycle, values: GivenValues) -> None:
        self.core = core
        self.loops = Loops(core)
        self.life = RunLife(core, cycle, self.loops)
        self.recording = Recording(core, values)
        self.labels = Labels(core, self.recording)
        self.artifacts = Artifacts(core)
        self.checkpoints = Checkpoints(core)
        self.work = Work(core, self.loops)
        core.points.others.keeper = MediaRecorder(core)
        core.parts = self

    def reset_in_child(self) -> None:
        """Leave to the parent what is the parent's after a fork, and replace every lock."""
        self.life.reset_in_child()
        self.core.reset_in_child()
        self.loops.reset_in_child()


def parts_of(run: RunPort) -> RunParts:
    """Return the parts of a run, as the registry of active runs or a context has it."""
    return run.parts  # type: ignore[no-any-return] # a RunParts: nothing else is made of a core


def active_parts() -> list[RunParts]:
    """Return the parts of the runs that are active in this process, oldest first."""
    return [parts_of(run) for run in list(active_runs.values())]


def _reset_runs_in_child() -> None:
    for parts in [*active_parts(), *map(parts_of, list(silent_runs.values()))]:
        parts.reset_in_child()


at_fork(after_in_child=_reset_runs_in_child)
