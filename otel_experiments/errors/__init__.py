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
    ├── AnalysisError (ValueError)             a number that cannot be computed of what was given
    │   └── PriceTableError
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
    ├── AgentToolError                         a tool of `otel-experiments mcp` cannot answer
    │   ├── AgentToolNotFoundError (LookupError)
    │   ├── AgentArgumentError (ValueError)
    │   ├── AgentToolStoppedError (TimeoutError)
    │   └── AgentAnswerTooLargeError (ValueError)
    ├── QueryError (ValueError)
    │   ├── CursorError                        of another run or store, or none at all
    │   ├── PageCursorError
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

The classes stand in a module for each subject. All are offered here, and users import them from here.
"""

from __future__ import annotations  # noqa: I001 - names that are imported for others stay together

from otel_experiments.errors.agents import (
    AgentAnswerTooLargeError as AgentAnswerTooLargeError,
    AgentArgumentError as AgentArgumentError,
    AgentToolError as AgentToolError,
    AgentToolNotFoundError as AgentToolNotFoundError,
    AgentToolStoppedError as AgentToolStoppedError,
)
from otel_experiments.errors.analysis import (
    AnalysisError as AnalysisError,
    PriceTableError as PriceTableError,
)
from otel_experiments.errors.artifact import (
    AmbiguousArtifactError as AmbiguousArtifactError,
    ArtifactAliasError as ArtifactAliasError,
    ArtifactDamagedError as ArtifactDamagedError,
    ArtifactError as ArtifactError,
    ArtifactMissingError as ArtifactMissingError,
    ArtifactNotFoundError as ArtifactNotFoundError,
    ArtifactPlaceError as ArtifactPlaceError,
    ArtifactSourceError as ArtifactSourceError,
    ArtifactsLockedError as ArtifactsLockedError,
    ArtifactsUnknownError as ArtifactsUnknownError,
)
from otel_experiments.errors.configuration import (
    ConfigurationError as ConfigurationError,
    ExperimentMetadataError as ExperimentMetadataError,
    InvalidNameError as InvalidNameError,
    MappingFileError as MappingFileError,
    MissingPackageError as MissingPackageError,
    MissingToolError as MissingToolError,
)
from otel_experiments.errors.edit import (
    RunEditError as RunEditError,
)
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
from otel_experiments.errors.read import (
    CursorError as CursorError,
    FigureError as FigureError,
    IncompleteReadWarning as IncompleteReadWarning,
    PageCursorError as PageCursorError,
    QueryError as QueryError,
    SearchSyntaxError as SearchSyntaxError,
    SearchWarning as SearchWarning,
    TelemetryDecodeError as TelemetryDecodeError,
)
from otel_experiments.errors.root import (
    OtelExperimentsError as OtelExperimentsError,
    OtelExperimentsWarning as OtelExperimentsWarning,
)
from otel_experiments.errors.run import (
    AmbiguousRunError as AmbiguousRunError,
    ExperimentNotFoundError as ExperimentNotFoundError,
    IllegalTransitionError as IllegalTransitionError,
    MetricNotFoundError as MetricNotFoundError,
    ModelRunNotFoundError as ModelRunNotFoundError,
    NoActiveRunError as NoActiveRunError,
    ParamNotFoundError as ParamNotFoundError,
    RecordingError as RecordingError,
    RunError as RunError,
    RunInUseError as RunInUseError,
    RunNotFoundError as RunNotFoundError,
    RunRemovedError as RunRemovedError,
    TrialError as TrialError,
)
from otel_experiments.errors.store import (
    BundleReadOnlyError as BundleReadOnlyError,
    JournalError as JournalError,
    JournalMovedError as JournalMovedError,
    NewerBundleError as NewerBundleError,
    NewerJournalError as NewerJournalError,
    NewerSchemaError as NewerSchemaError,
    NotAStoreError as NotAStoreError,
    StoreClosedError as StoreClosedError,
    StoreDamagedError as StoreDamagedError,
    StoreError as StoreError,
    StoreFailedError as StoreFailedError,
    StoreForkedError as StoreForkedError,
    StoreFullError as StoreFullError,
    StoreIncompleteError as StoreIncompleteError,
    StoreLockedError as StoreLockedError,
    StoreNotFoundError as StoreNotFoundError,
    StorePathError as StorePathError,
    StoreReadOnlyError as StoreReadOnlyError,
)
