"""Every exception of ours.

    OtelExperimentsError
    ├── ConfigurationError (ValueError)        settings, names and arguments that cannot be used
    │   ├── InvalidNameError
    │   ├── RunInUseError
    │   ├── MappingFileError
    │   └── ExperimentMetadataError
    ├── MissingPackageError (ImportError)      an optional package is not installed
    ├── RecordingError                         raised only with on_error="raise", for what is else counted and told
    ├── RunError
    │   ├── RunNotFoundError (LookupError)
    │   ├── RunRemovedError (LookupError)
    │   ├── ModelRunNotFoundError (LookupError)    the run that made a saved model
    │   ├── AmbiguousRunError (LookupError)
    │   ├── ExperimentNotFoundError (LookupError)
    │   ├── MetricNotFoundError (KeyError)
    │   ├── ParamNotFoundError (KeyError)
    │   ├── NoActiveRunError (RuntimeError)
    │   ├── TrialError (RuntimeError)              a trial of a sweep has no exception of its own to show
    │   └── IllegalTransitionError (ValueError)
    ├── RunEditError (ValueError)              a stored run that cannot be edited so
    ├── StoreError
    │   ├── StoreNotFoundError (LookupError)
    │   ├── StoreIncompleteError (LookupError)
    │   ├── StorePathError (ValueError)
    │   ├── NotAStoreError (ValueError)
    │   ├── NewerSchemaError
    │   ├── StoreLockedError (TimeoutError)
    │   ├── StoreFailedError
    │   ├── StoreFullError
    │   ├── StoreDamagedError
    │   ├── StoreClosedError (ValueError)
    │   ├── StoreReadOnlyError (PermissionError)
    │   │   └── BundleReadOnlyError
    │   ├── NewerBundleError
    │   ├── StoreForkedError
    │   └── JournalMovedError
    ├── JournalError
    │   └── NewerJournalError
    ├── ArtifactError
    │   ├── ArtifactNotFoundError (LookupError)
    │   ├── AmbiguousArtifactError (LookupError)
    │   ├── ArtifactAliasError (ValueError)        nothing can be called so
    │   ├── ArtifactMissingError (LookupError)     the store knows it, its bytes are not there
    │   ├── ArtifactDamagedError (ValueError)      its bytes are not those that were kept
    │   ├── ArtifactSourceError (ValueError)       what is to be kept is no file or folder that can be read
    │   ├── ArtifactPlaceError (OSError)           where bytes are kept, or go to, takes none
    │   ├── ArtifactsLockedError (TimeoutError)
    │   ├── MediaNotFoundError (LookupError)       nothing was logged under the name, or at the step
    │   ├── MediaRefusedError (ValueError)         a picture, table or the like that is none
    │   ├── MediaUnreadableError (ValueError)      the bytes are not of the media type that was said
    │   └── ArtifactsUnknownError                  what is in use cannot be known, so nothing is removed
    ├── QueryError (ValueError)
    │   └── SearchSyntaxError
    ├── FigureError (ValueError)               a text is no figure, or a file none can be saved to
    ├── TelemetryDecodeError (ValueError)      bytes or JSON that are no OTLP
    ├── MissingToolError (OSError)             a program of the system is not installed
    └── GoldenError                            every one has the exit code of the command line
        ├── GoldenMissingError (LookupError)   2
        ├── GoldenInvalidError (ValueError)    3
        ├── IncompleteTraceError (ValueError)  4
        ├── EmptyTraceError (ValueError)       4
        ├── NonFiniteGoldenError (ValueError)  4
        ├── CommandFailedError                 4
        ├── UnstableRunsError                  4
        └── GoldenRuleError (ValueError)       5

    OtelExperimentsWarning (UserWarning)
    ├── IncompleteReadWarning                  what was read lacks something; the text says what and why
    └── SearchWarning                          a search was answered otherwise than its words say

Two regimes, never mixed: configuring, querying and comparing raise these; recording never raises into user
code (`record/base/guard.py` counts and logs instead). Constructors take the facts by keyword, keep them as
attributes and make the text: what happened, to which object, what was found instead, what to do next.
"""

from __future__ import annotations  # noqa: I001 - names that are imported for others stay together

from collections.abc import Sequence

from otel_experiments.errors.artifact import (
    AmbiguousArtifactError as AmbiguousArtifactError,
    ArtifactAliasError as ArtifactAliasError,
    ArtifactDamagedError as ArtifactDamagedError,
    ArtifactError as ArtifactError,
    ArtifactMissingError as ArtifactMissingError,
    ArtifactNotFoundError as ArtifactNotFoundError,
    ArtifactPlaceError as ArtifactPlaceError,
    ArtifactSourceError as ArtifactSourceError,
    ArtifactsUnknownError as ArtifactsUnknownError,
    ArtifactsLockedError as ArtifactsLockedError,
)
from otel_experiments.errors.edit import RunEditError as RunEditError
from otel_experiments.errors.golden import (
    CommandFailedError as CommandFailedError,
    EmptyTraceError as EmptyTraceError,
    GoldenError as GoldenError,
    GoldenExitCode as GoldenExitCode,
    GoldenInvalidError as GoldenInvalidError,
    GoldenMissingError as GoldenMissingError,
    GoldenRuleError as GoldenRuleError,
    IncompleteTraceError as IncompleteTraceError,
    NonFiniteGoldenError as NonFiniteGoldenError,
    UnstableRunsError as UnstableRunsError,
)
from otel_experiments.errors.media import (
    MediaNotFoundError as MediaNotFoundError,
    MediaRefusedError as MediaRefusedError,
    MediaUnreadableError as MediaUnreadableError,
)
from otel_experiments.errors.root import (
    OtelExperimentsError as OtelExperimentsError,
    OtelExperimentsWarning as OtelExperimentsWarning,
)
from otel_experiments.errors.root import counted as _counted


class IncompleteReadWarning(OtelExperimentsWarning):
    """What was read from a store lacks something: journals that could not be merged, rows that cannot be read."""


class SearchWarning(OtelExperimentsWarning):
    """A search was answered otherwise than its words say: a field that no run has, a direction that was guessed."""


class ConfigurationError(OtelExperimentsError, ValueError):
    """A setting, a name or an argument cannot be used."""


class InvalidNameError(ConfigurationError):
    """A name is empty, too long, or holds a character that no name may hold."""

    def __init__(self, *, kind: str, name: str, why: str, fix: str) -> None:
        self.kind, self.name = kind, name
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        super().__init__(f"The {kind} {shown!r} cannot be used: {why}.\n  {fix}")


class RunInUseError(ConfigurationError):
    """A run is to go on that another process still records."""

    def __init__(self, *, run_id: str, name: str, pid: int, host: str) -> None:
        self.run_id, self.name, self.pid, self.host = run_id, name, pid, host
        super().__init__(
            f"Run {run_id[:8]} ({name!r}) cannot be resumed: process {pid} on {host} still records it.\n"
            "  Wait until it ends, end it, or join it: pass on what run.environment() returns there."
        )


class MappingFileError(ConfigurationError):
    """A file that says which run foreign telemetry belongs to cannot be read or used; `problems` says each reason."""

    def __init__(self, *, path: str, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        found = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"The mapping {path!r} cannot be used: {_counted(len(problems), 'problem')}.\n{found}\n"
            "  Correct it, or remove it: then the mappings that are built in are used alone."
        )


class ExperimentMetadataError(ConfigurationError):
    """Metadata of an experiment span has a field that cannot be used, or is not JSON."""

    def __init__(self, *, field: str, wanted: str, found: str) -> None:
        self.field, self.wanted, self.found = field, wanted, found
        shown = found if len(found) <= 80 else f"{found[:77]}..."
        place = f"The field {field!r} of the experiment metadata" if field else "The experiment metadata"
        super().__init__(
            f"{place} cannot be used: {wanted} was expected, {shown} was found.\n"
            '  A whole one: {"model_name": "resnet", "epoch": 5, "step": 100, "loss": 0.1, "metrics": {"acc": 0.9}}'
        )


class RecordingError(OtelExperimentsError):
    """Something was not recorded as it was given; raised only with `on_error="raise"`, else counted and told."""

    def __init__(self, *, kind: str, name: str, what: str) -> None:
        self.kind, self.name, self.what = kind, name, what
        super().__init__(
            f"{what} ({kind})\n"
            '  Correct the call, or let recording count and report it: configure(on_error="log"), the default.'
        )


class MissingPackageError(OtelExperimentsError, ImportError):
    """Something was asked for that needs a package which is not installed; `extra` brings it, where there is one."""

    def __init__(self, *, package: str, purpose: str, extra: str | None) -> None:
        self.package, self.purpose, self.extra = package, purpose, extra
        wanted = package if extra is None else f"'otel-experiments[{extra}]'"
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.\n"
            f"  Install it: pip install {wanted}"
        )


class RunError(OtelExperimentsError):
    """Something about a run does not hold."""


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
            f"{_counted(len(known), 'run')}: {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
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
            f"{_counted(len(known), 'experiment')}: {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
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


class StoreError(OtelExperimentsError):
    """The store cannot do what was asked."""


class StoreNotFoundError(StoreError, LookupError):
    """There is no store at the path that is to be read."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"No store at {path!r}.\n  Record a run first (otel-experiments demo makes some), "
            "or name another store: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        )


class StoreIncompleteError(StoreError, LookupError):
    """The file is the beginning of a store whose contents lay beside it, and were not copied with it."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path!r} holds no runs by itself: it was copied while a process recorded, or after it was killed, and "
            f"what was recorded lies in {path}-wal and {path}.journals, which are not beside it.\n"
            "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
        )


class StorePathError(StoreError, ValueError):
    """The store's path cannot hold a store: a directory, not writable, an unknown scheme."""

    def __init__(self, *, path: str, why: str, fix: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"The store {path!r} cannot be used: {why}.\n  {fix}")


class NotAStoreError(StoreError, ValueError):
    """The file exists but is not a store of ours; it was left untouched."""

    def __init__(self, *, path: str, found: str) -> None:
        self.path, self.found = path, found
        super().__init__(
            f"{path!r} is not an otel-experiments store: {found}. The file was left as it is.\n"
            "  Name another path: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        )


class NewerSchemaError(StoreError):
    """The store was written by a newer release; it was left untouched."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Store {path!r} has schema version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )


class StoreLockedError(StoreError, TimeoutError):
    """Another process held the store for longer than we may wait."""

    def __init__(self, *, path: str, waited_s: float, is_importing: bool = False) -> None:
        self.path, self.waited_s = path, waited_s
        waits = "recorded data waits in the journals beside it. Find the holder: fuser"
        if is_importing:
            waits = "import again what it did not take; what is stored stays as it is. Find the holder: fuser"
        super().__init__(
            f"Store {path!r} was locked by another process for {waited_s:g} s.\n"
            f"  Nothing is lost: {waits} {path}"
        )


class StoreFullError(StoreError):
    """Disk, quota, memory, a right or another limit does not let through what was to be written; nothing of the batch was kept."""

    def __init__(self, *, path: str, why: str, fix: str = "Free some space") -> None:
        self.path, self.why, self.fix = path, why, fix
        super().__init__(
            f"Store {path!r} takes nothing now: {why}. Nothing of the batch was written, nothing older is harmed.\n"
            f"  {fix}, and try again; what waits in the journals beside the store is written then."
        )


class StoreFailedError(StoreError):
    """A store of another package raised, did not answer, or answered what cannot be."""

    def __init__(self, *, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"Store {path!r} takes nothing now: {why}.\n"
            "  Nothing is lost: what is recorded waits in the journals, and is stored when the store takes it again."
        )


class StoreDamagedError(StoreError):
    """The store's file does not hold what it should, or the disk does not give it back."""

    def __init__(self, *, path: str, found: str, fix: str | None = None) -> None:
        self.path, self.found = path, found
        rescue = f"Copy it away, then save what can be read: sqlite3 COPY .recover | sqlite3 {path}"
        super().__init__(
            f"Store {path!r} cannot be read or written: {found}. It was left as it is.\n  {fix or rescue}"
        )


class StoreClosedError(StoreError, ValueError):
    """A store was used after it was closed."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(f"The store {path!r} is closed.\n  Open it again: open_store({path!r})")


class StoreReadOnlyError(StoreError, PermissionError):
    """A store that may only be read was asked to write or to upgrade itself."""

    def __init__(self, *, path: str, action: str) -> None:
        self.path, self.action = path, action
        super().__init__(
            f"Store {path!r} is open for reading only and cannot {action}.\n"
            f"  Open it for writing: open_store({path!r}), as a user who may write the file and its folder."
        )


class BundleReadOnlyError(StoreReadOnlyError):
    """A bundle was to be written: recorded into, or changed."""

    def __init__(self, *, path: str) -> None:
        self.path, self.action = path, "be written"
        StoreError.__init__(
            self,
            f"{path!r} is a bundle, which is only read: nothing can be recorded into it or changed in it.\n"
            f"  Take its runs into a store, and go on there: otel-experiments import {path} --store experiments.db",
        )


class NewerBundleError(StoreError):
    """The bundle was made by a newer release, in a format that this one does not know."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Bundle {path!r} has format version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )


class StoreForkedError(StoreError):
    """A forked process opened a store that its parent was using at the very moment of the fork."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"Store {path!r} was in use in the parent process when this process was forked, so its locks cannot "
            "be trusted here.\n  Fork before the store is opened, or start the process with the spawn method."
        )


class JournalMovedError(StoreError):
    """Another process has drained the journal segment meanwhile; re-read from `found` and try again."""

    def __init__(self, *, segment_id: str, expected: int, found: int) -> None:
        self.segment_id, self.expected, self.found = segment_id, expected, found
        super().__init__(
            f"Journal segment {segment_id} stands at {found} in the store, not at {expected}.\n"
            "  Another process drained it; read it again from there."
        )


class JournalError(OtelExperimentsError):
    """A journal cannot be written or read."""


class NewerJournalError(JournalError):
    """A journal was written by a newer release; it was left untouched."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Journal {path!r} has format version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )


class QueryError(OtelExperimentsError, ValueError):
    """A question to the store cannot be understood or may not be asked."""


class SearchSyntaxError(QueryError):
    """A search expression cannot be understood; the text points at the column."""

    def __init__(self, *, expression: str, column: int, why: str, fix: str) -> None:
        self.expression, self.column, self.why = expression, column, why
        # A long expression is shown as the window around the mistake.
        first = max(0, column - 60) if len(expression) > 160 else 0
        shown = expression[first : first + 160]
        if first + len(shown) < len(expression):
            shown += "..."
        mark = column - first
        if first:
            shown, mark = f"...{shown}", mark + 3
        super().__init__(f"{why}\n  {shown}\n  {' ' * mark}^\n  {fix}")


class FigureError(OtelExperimentsError, ValueError):
    """A figure cannot be read from a text, or saved under a name."""

    def __init__(self, *, action: str, found: str, fix: str) -> None:
        self.action, self.found = action, found
        super().__init__(f"The figure cannot be {action}: {found}.\n  {fix}")


class TelemetryDecodeError(OtelExperimentsError, ValueError):
    """Bytes or JSON that should be OTLP are not."""

    def __init__(self, *, source: str, found: str) -> None:
        self.source, self.found = source, found
        super().__init__(
            f"{source}: {found}.\n"
            "  Give OTLP as the specification has it: JSON, JSON Lines, or protobuf (TracesData, MetricsData, LogsData)."
        )


class MissingToolError(OtelExperimentsError, OSError):
    """A program that is not part of this package, and no Python package, is not installed."""

    def __init__(self, *, tool: str, purpose: str, install: str) -> None:
        self.tool, self.purpose, self.install = tool, purpose, install
        super().__init__(
            f"{purpose} needs the program {tool!r}, which is not on the PATH.\n  Install it: {install}"
        )
