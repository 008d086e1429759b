"""What the user said of a run when it started, and where a reader finds what readers of other trackers call otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments.store.semantics.run_facts import fact_of

if TYPE_CHECKING:
    from otel_experiments.model.run import Run

_ELSEWHERE: Final = {
    "config": "the params are run.params",
    "data": "there are run.params, run.metrics and run.tags",
    "files": "files are run.artifacts, pictures and tables run.media",
    "history": "the points are run.metrics[NAME].points(), as a table of all metrics run.metrics.to_pandas(wide=True)",
    "info": "there are run.id, run.name and run.state",
    "log": "to record more, go on with the run: otel_experiments.start_run(resume=run.id)",
    "logged_artifacts": "they are run.artifacts",
    "notes": "it is called run.note; run.set_note(text) writes it",
    "project": "it is run.experiment",
    "scan_history": "the points are run.metrics[NAME].points()",
    "to_pandas": "one row a run is otel_experiments.runs(...).to_pandas(), the points of a run run.metrics.to_pandas()",
}
"""What people use of the runs that they read from another tracker, and where it is here."""


class GivenFacts:
    """The texts that `start_run` was given."""

    if TYPE_CHECKING:

        @property
        def record(self) -> Run:
            """The row as it is stored."""
            ...

    else:  # a type checker that saw it would take every misspelt name for granted

        def __getattr__(self, name: str) -> object:
            if any(
                name in vars(one) for one in type(self).__mro__
            ):  # a property failed: its error says at what
                return object.__getattribute__(self, name)
            here = f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{here}", name=name, obj=self
            )

    @property
    def key(self) -> str:
        """The caller's own id, as `start_run(key=...)` or `init(id=...)` was given it; empty where there is none."""
        return fact_of(self.record.resource, "key")

    @property
    def group(self) -> str:
        """The group of runs that it belongs to; empty for none."""
        return self.record.group

    @property
    def condition(self) -> str:
        """Which arm of a comparison it is, such as `control`; empty where nothing was said."""
        return self.record.condition

    @property
    def hypothesis(self) -> str:
        """What the experiment is to show; empty where nothing was said."""
        return self.record.hypothesis

    @property
    def description(self) -> str:
        """More about it, as `start_run` was given it; `note` is what was written afterwards."""
        return self.record.description
