"""What the command line exits with: the codes of both groups, what each means, and which error has which code.

The reference pages are compared with the meanings. Numbers are never changed and never used for something else; those of
golden checks are in `errors`, since the errors carry them. It imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from otel_experiments.errors import (
    AmbiguousArtifactError,
    ArtifactAliasError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactSourceError,
    ConfigurationError,
    GoldenError,
    GoldenExitCode,
    JournalError,
    MediaNotFoundError,
    MissingPackageError,
    MissingToolError,
    OtelExperimentsError,
    QueryError,
    RunEditError,
    RunError,
    StoreError,
    TelemetryDecodeError,
)


class ExitCode(IntEnum):
    """What all commands but `golden` exit with."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    STORE = 3
    NOT_FOUND = 4
    QUERY = 5
    MISSING_PACKAGE = 6
    MISSING_TOOL = 7
    NOT_SENT = 8
    NOT_ALL = 9
    INTERRUPTED = 130


class Meaning(NamedTuple):
    """What a code means: `brief` below the help of a command, `text` on the reference page."""

    brief: str
    text: str


MEANINGS: Final[Mapping[ExitCode, Meaning]] = {
    ExitCode.OK: Meaning("done", "done; also when the reader of a pipe went away"),
    ExitCode.UNEXPECTED: Meaning(
        "unexpected",
        "the output cannot be written; or something unexpected: a defect, worth a report; `diff --exit-code`: the runs differ; `tail --exit-code`: a run did not succeed",
    ),
    ExitCode.USAGE: Meaning("usage", "a wrong option, argument or setting"),
    ExitCode.STORE: Meaning(
        "store",
        "the store, or bytes of an artifact, are missing or cannot be used; `doctor`: it found a problem",
    ),
    ExitCode.NOT_FOUND: Meaning(
        "not found", "no such run, experiment, metric, artifact or name, or an ambiguous one"
    ),
    ExitCode.QUERY: Meaning(
        "query", "a search expression or SQL statement that cannot be understood or is refused"
    ),
    ExitCode.MISSING_PACKAGE: Meaning("missing package", "an optional package is not installed"),
    ExitCode.MISSING_TOOL: Meaning(
        "missing program", "a program of the system, such as strace, is not installed"
    ),
    ExitCode.NOT_SENT: Meaning(
        "not sent",
        "an endpoint did not take everything; the same command goes on with what was not refused for good",
    ),
    ExitCode.NOT_ALL: Meaning(
        "not all read or written",
        "a part of what was to be imported cannot be read, or of what was to be exported cannot be written; the rest is there",
    ),
    ExitCode.INTERRUPTED: Meaning("interrupted", "interrupted with Ctrl-C; what was recorded so far is kept"),
}

GOLDEN_MEANINGS: Final[Mapping[GoldenExitCode, Meaning]] = {
    GoldenExitCode.EQUAL: Meaning("equal", "equal"),
    GoldenExitCode.CHANGED: Meaning("changed", "behaviour changed"),
    GoldenExitCode.MISSING: Meaning("golden missing", "the golden is missing"),
    GoldenExitCode.INVALID: Meaning(
        "golden invalid", "the golden is invalid: unreadable, conflicted, edited, empty, newer"
    ),
    GoldenExitCode.NO_CANDIDATE: Meaning(
        "command failed or no whole candidate",
        "the command failed, or the candidate is empty or incomplete; runs that are to make a golden differ in what "
        "they do",
    ),
    GoldenExitCode.CONFIGURATION: Meaning(
        "usage or configuration",
        "a wrong option, rule or setting; a file or folder that cannot be read or written",
    ),
    GoldenExitCode.UNDECIDED: Meaning(
        "not decided (with --require-decision)", "not decided, only with `--require-decision`"
    ),
}

_CODES: Final[tuple[tuple[type[OtelExperimentsError], ExitCode], ...]] = (
    (MissingPackageError, ExitCode.MISSING_PACKAGE),
    (MissingToolError, ExitCode.MISSING_TOOL),
    (ConfigurationError, ExitCode.USAGE),
    (RunError, ExitCode.NOT_FOUND),
    (StoreError, ExitCode.STORE),
    (JournalError, ExitCode.STORE),
    (ArtifactNotFoundError, ExitCode.NOT_FOUND),
    (AmbiguousArtifactError, ExitCode.NOT_FOUND),
    (MediaNotFoundError, ExitCode.NOT_FOUND),
    (ArtifactSourceError, ExitCode.USAGE),
    (ArtifactAliasError, ExitCode.USAGE),
    (ArtifactError, ExitCode.STORE),
    (QueryError, ExitCode.QUERY),
    (TelemetryDecodeError, ExitCode.NOT_ALL),
    (RunEditError, ExitCode.USAGE),
)


def exit_code_of(error: OtelExperimentsError) -> ExitCode:
    """Return the exit code that an error of ours stands for."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.UNEXPECTED)


def golden_exit_code_of(error: OtelExperimentsError) -> GoldenExitCode:
    """Return the exit code that an error of ours stands for in a golden check."""
    match error:
        case GoldenError():
            return error.exit_code
        case RunError() | StoreError() | JournalError() | TelemetryDecodeError():
            return GoldenExitCode.NO_CANDIDATE
    return GoldenExitCode.CONFIGURATION


def describe_codes(meanings: Mapping[ExitCode, Meaning] | Mapping[GoldenExitCode, Meaning]) -> str:
    """Return the codes in one sentence, for the end of a help text."""
    listed = ", ".join(f"{int(code)} {meaning.brief}" for code, meaning in meanings.items())
    return f"Exit codes: {listed}."
