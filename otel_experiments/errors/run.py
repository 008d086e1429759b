"""Errors of runs: which one is meant, what it has, which state it may take, and what is not recorded as it was given."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.errors.configuration import ConfigurationError
from otel_experiments.errors.root import OtelExperimentsError, counted


class RecordingError(OtelExperimentsError):
    """Something was not recorded as it was given; raised only with `on_error="raise"`, else counted and told."""

    def __init__(self, *, kind: str, name: str, what: str) -> None:
        self.kind, self.name, self.what = kind, name, what
        super().__init__(
            f"{what} ({kind})\n"
            '  Correct the call, or let recording count and report it: configure(on_error="log"), the default.'
        )


class RunError(OtelExperimentsError):
    """Something about a run does not hold."""


class RunInUseError(ConfigurationError):
    """A run is to go on that another process still records."""

    def __init__(self, *, run_id: str, name: str, pid: int, host: str) -> None:
        self.run_id, self.name, self.pid, self.host = run_id, name, pid, host
        super().__init__(
            f"Run {run_id[:8]} ({name!r}) cannot be resumed: process {pid} on {host} still records it.\n"
            "  Wait until it ends, end it, or join it: pass on what run.environment() returns there."
        )


class RunNotFoundError(RunError, LookupError):
    """No run answers to the given id, prefix or name (empty: to nothing in particular); `suggestions` may be meant.

    `least_digits`: the id of a run begins so, and more of its digits are needed where a run is changed.
    """

    def __init__(
        self,
        *,
        wanted: str,
        store: str,
        known: Sequence[str],
        suggestions: Sequence[str] = (),
        least_digits: int = 0,
    ) -> None:
        self.wanted, self.store, self.least_digits = wanted, store, least_digits
        self.known, self.suggestions = tuple(known), tuple(suggestions)
        found = (
            f"{counted(len(known), 'run')}: {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
            if known
            else "it is empty"
        )
        hint = f"Did you mean {' or '.join(map(repr, suggestions))}? " if suggestions else ""
        if least_digits:
            hint = f"What changes a run takes {least_digits} digits of its id, or more. {hint}"
        fix = f"{hint}List them with: otel-experiments runs --store {store}"
        if not wanted and not known:
            fix = "Record a run first (otel-experiments demo makes some), or name another store: --store PATH"
        if wanted.lower().endswith(".oxb"):
            fix = f"A bundle is read as a store: otel-experiments runs --store {wanted}"
        run = f"run {wanted!r}" if wanted else "run"
        super().__init__(f"No {run} in store {store!r} ({found}).\n  {fix}")

    @property
    def suggestion(self) -> str | None:
        """The name that is most likely meant; None where none is alike."""
        return self.suggestions[0] if self.suggestions else None


class RunRemovedError(RunError, LookupError):
    """The run that is meant was removed; it is there until `gc` purges it."""

    def __init__(self, *, run: str, run_id: str, store: str, key: str = "") -> None:
        self.run, self.run_id, self.store = run, run_id, store
        named = f" with {key}" if key else ""
        other = f". For a new run, pass another {key.partition('=')[0]}" if key else ""
        super().__init__(
            f"The run {run!r}{named} in store {store!r} was removed, and is hidden.\n"
            f"  Bring it back: otel-experiments restore {run_id[:12]} --store {store}{other}"
        )


class ModelRunNotFoundError(RunError, LookupError):
    """No run is known to have made a saved model; `elsewhere` is the store that the file beside the model names."""

    def __init__(self, *, model: str, store: str, why: str, elsewhere: str = "") -> None:
        self.model, self.store, self.why, self.elsewhere = model, store, why, elsewhere
        fix = (
            f"Name the store that has the run; it was recorded into {elsewhere!r}: run_of(path, store=STORE)"
            if elsewhere
            else "Name the store that has the run: run_of(path, store=STORE). A model is tied to its run by run.link_model(path)"
        )
        super().__init__(f"No run in store {store!r} made the model {model!r}: {why}.\n  {fix}")


class AmbiguousRunError(RunError, LookupError):
    """Several runs answer to the given prefix or name."""

    def __init__(self, *, wanted: str, store: str, matches: Sequence[str]) -> None:
        self.wanted, self.store, self.matches = wanted, store, tuple(matches)
        shown = ", ".join(matches[:5]) + (", ..." if len(matches) > 5 else "")
        super().__init__(
            f"{wanted!r} names {len(matches)} runs in store {store!r}: {shown}.\n"
            f"  Write an id, or more of its digits: {matches[0].partition(' ')[0] if matches else 'an id'}"
        )


class ExperimentNotFoundError(RunError, LookupError):
    """No experiment of the given name holds a run."""

    def __init__(
        self, *, wanted: str, store: str, known: Sequence[str], suggestion: str | None = None
    ) -> None:
        self.wanted, self.store, self.known, self.suggestion = wanted, store, tuple(known), suggestion
        found = (
            f"{counted(len(known), 'experiment')}: {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
            if known
            else "it is empty"
        )
        hint = f"Did you mean {suggestion!r}? " if suggestion else ""
        super().__init__(
            f"No experiment {wanted!r} in store {store!r} ({found}).\n"
            f"  {hint}List all runs with: otel-experiments runs --store {store}"
        )


class MetricNotFoundError(RunError, KeyError):
    """The run has no metric of that name, or not in that phase."""

    def __init__(self, *, run: str, name: str, known: Sequence[str], suggestion: str | None = None) -> None:
        self.run, self.name, self.known, self.suggestion = run, name, tuple(known), suggestion
        found = (
            f"{len(known)}: {', '.join(known[:5])}{', ...' if len(known) > 5 else ''}" if known else "none"
        )
        hint = f"Did you mean {suggestion!r}? " if suggestion else ""
        super().__init__(
            f"Run {run!r} has no metric {name!r} (it has {found}).\n"
            f"  {hint}List them with: otel-experiments metrics {run}"
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show a repr


class ParamNotFoundError(RunError, KeyError):
    """The run has no param of that dotted key."""

    def __init__(self, *, run: str, key: str, known: Sequence[str], suggestion: str | None = None) -> None:
        self.run, self.key, self.known, self.suggestion = run, key, tuple(known), suggestion
        found = (
            f"{len(known)}: {', '.join(known[:5])}{', ...' if len(known) > 5 else ''}" if known else "none"
        )
        hint = f"Did you mean {suggestion!r}? " if suggestion else ""
        super().__init__(
            f"Run {run!r} has no param {key!r} (it has {found}).\n"
            f"  {hint}Its params by their dotted keys: run.params.flat"
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show a repr


class NoActiveRunError(RunError, RuntimeError):
    """A function that needs the current run was called where there is none, or where it cannot be told."""

    def __init__(self, *, action: str, active: Sequence[str] = ()) -> None:
        self.action, self.active = action, tuple(active)
        if active:
            text = (
                f"{action} needs one current run, but {len(active)} are active in this process: "
                f"{', '.join(active[:5])}.\n  Call the method of the run that is meant: run.log(...)."
            )
        else:
            text = f"{action} needs a current run, and none is active.\n  Start one: with otel_experiments.start_run('name') as run: ..."
        super().__init__(text)


class TrialError(RunError, RuntimeError):
    """A trial of a sweep ended, and the exception that ended it is not at hand: its process died, say."""

    def __init__(self, *, trial: int, found: str, fix: str) -> None:
        self.trial, self.found, self.fix = trial, found, fix
        super().__init__(f"Trial {trial} of the sweep failed: {found}.\n  {fix}")


class IllegalTransitionError(RunError, ValueError):
    """A run was asked to take a state that may not follow its present one."""

    def __init__(self, *, run_id: str, current: str, requested: str, allowed: Sequence[str]) -> None:
        self.run_id, self.current, self.requested, self.allowed = run_id, current, requested, tuple(allowed)
        onward = (
            f"From {current!r} it may go to: {', '.join(allowed)}." if allowed else f"{current!r} is final."
        )
        super().__init__(f"Run {run_id[:8]} is {current!r} and cannot become {requested!r}.\n  {onward}")
