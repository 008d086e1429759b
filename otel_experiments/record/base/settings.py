"""Every setting of ours in one table: argument of `configure` > environment variable > default.

OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_*`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
`OTEL_SDK_DISABLED`, `OTEL_BSP_*`, `OTEL_METRIC_EXPORT_INTERVAL`) keep their meaning and are not repeated here:
`record/otlp/environment.py` reads them, docs/reference/settings.md says what each of them rules.
The environment is read when `Settings.resolve` is called, never at import.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, TypeVar, cast

from otel_experiments.errors import ConfigurationError
from otel_experiments.model.other_stores import JOURNAL_DIR_VARIABLE, without_password
from otel_experiments.model.setting import NETWORK_FILESYSTEM, Setting, boolean
from otel_experiments.model.store_location import DEFAULT_STORE, STORE_VARIABLE, StoreLocation
from otel_experiments.model.trace_link import parse_trace_url
from otel_experiments.process.file_mode import parse_file_mode
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.otlp_setting import Otlp
from otel_experiments.record.base.setting_values import choice, level, not_negative, place, positive

if TYPE_CHECKING:
    from otel_experiments.journal.writer import Durability
    from otel_experiments.model.other_stores import StoreObject
    from otel_experiments.record.base.ranks import RanksMode

TRACE_URL_VARIABLE: Final = "OTEL_EXPERIMENTS_TRACE_URL"

OnError = Literal["log", "raise"]
CaptureOutput = Literal["python", "fd", "off"]
StepAxis = Literal["name", "call"]
_Function = TypeVar("_Function", bound=Callable[..., Any])


SETTINGS: Final[Mapping[str, Setting]] = {
    "store": Setting(
        STORE_VARIABLE,
        str,
        DEFAULT_STORE,
        "Where runs are kept: a path, sqlite://PATH, file:PATH, memory://, the address of a store that a package adds, or none to "
        "keep nothing locally. In code also a store that is open.",
    ),
    "journal_dir": Setting(
        JOURNAL_DIR_VARIABLE,
        place,
        None,
        "The folder for what waits for a store that is no local file; by default $XDG_STATE_HOME/otel-experiments.",
    ),
    "store_mode": Setting(
        "OTEL_EXPERIMENTS_STORE_MODE",
        parse_file_mode,
        None,
        "Who may read and write a new store: 0660 for its group, umask; by default its owner alone. One that is there decides itself.",
    ),
    "artifacts": Setting(
        "OTEL_EXPERIMENTS_ARTIFACTS",
        place,
        None,
        "Where the bytes of artifacts are kept: a folder, or a URL of fsspec such as s3://BUCKET/PATH; by default STORE.artifacts.",
    ),
    "project": Setting(
        "OTEL_EXPERIMENTS_PROJECT",
        str,
        None,
        "The service.name of the runs; by default OTEL_SERVICE_NAME, else the name of the working directory.",
    ),
    "experiment": Setting(
        "OTEL_EXPERIMENTS_EXPERIMENT", str, "default", "The experiment of runs that name none."
    ),
    "enabled": Setting("OTEL_EXPERIMENTS_ENABLED", boolean, True, "False makes everything a no-op."),
    "durability": Setting(
        "OTEL_EXPERIMENTS_DURABILITY",
        choice("process", "fsync"),
        "process",
        "process: a recorded point survives SIGKILL; fsync: also a loss of power (slow).",
    ),
    "otlp": Setting(
        "OTEL_EXPERIMENTS_OTLP",
        boolean,
        None,
        "Whether to send OTLP as well; by default when an OTEL_EXPORTER_OTLP_*ENDPOINT is set. In code also an endpoint, or an Otlp.",
    ),
    "trace_url": Setting(
        TRACE_URL_VARIABLE,
        parse_trace_url,
        None,
        "Where a backend's UI shows a trace: https://HOST/trace/{trace_id}; runs keep it, and `show` and `runs` print it.",
    ),
    "logging": Setting(
        "OTEL_EXPERIMENTS_LOGGING",
        level,
        None,
        "The level from which on records of Python's `logging` are in the run: DEBUG, INFO, ..., or a number; off by default.",
    ),
    "set_global": Setting(
        "OTEL_EXPERIMENTS_SET_GLOBAL",
        boolean,
        False,
        "Install a global TracerProvider that routes third-party spans into the current run.",
    ),
    "exit_timeout_s": Setting(
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT",
        positive,
        5.0,
        "Seconds that exit may wait for exporters and the store; the rest stays in the journal.",
    ),
    "heartbeat_s": Setting("OTEL_EXPERIMENTS_HEARTBEAT", positive, 5.0, "Seconds between signs of life."),
    "drain_s": Setting(
        "OTEL_EXPERIMENTS_DRAIN", positive, 0.25, "Seconds between two moves of the journal to the store."
    ),
    "network_filesystem": NETWORK_FILESYSTEM,
    "capture_git": Setting(
        "OTEL_EXPERIMENTS_CAPTURE_GIT", boolean, True, "Record the revision and state of the git checkout."
    ),
    "capture_environment": Setting(
        "OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT",
        boolean,
        True,
        "Record, behind the training, what is not committed, installed packages, the machine, the job and some variables.",
    ),
    "capture_output": Setting(
        "OTEL_EXPERIMENTS_CAPTURE_OUTPUT",
        choice("python", "fd", "off"),
        "python",
        "Whose output is in the run: python: what goes through sys.stdout and sys.stderr; fd: everything that is written to "
        "the descriptors, by children too; off: none.",
    ),
    "redact_secrets": Setting(
        "OTEL_EXPERIMENTS_REDACT_SECRETS",
        boolean,
        True,
        "Record `<redacted>` in the place of passwords, tokens and keys in params, tags, events and the resource.",
    ),
    "quiet": Setting(
        "OTEL_EXPERIMENTS_QUIET",
        boolean,
        False,
        "True: runs say nothing of themselves; else the first ones do at start and end, on a terminal or in a notebook.",
    ),
    "system_metrics_s": Setting(
        "OTEL_EXPERIMENTS_SYSTEM_METRICS",
        not_negative,
        5.0,
        "Seconds between samples of CPU, memory, disk, network and GPUs; 0 turns them off.",
    ),
    "ranks": Setting(
        "OTEL_EXPERIMENTS_RANKS",
        choice("auto", "join", "separate"),
        "auto",
        "Which processes of a job record one run: auto: the ranks of torchrun or of a process group that exists; "
        "join: all that a launcher numbers; separate: none.",
    ),
    "step_axis": Setting(
        "OTEL_EXPERIMENTS_STEP_AXIS",
        choice("name", "call"),
        "name",
        "What a point's step is where none is given: name: each metric counts its points; call: the run counts calls of log.",
    ),
    "on_error": Setting(
        "OTEL_EXPERIMENTS_ON_ERROR",
        choice("log", "raise"),
        "log",
        "What recording does with an error of its own: log counts it and goes on, raise is for tests.",
    ),
}
"""The table. Its order is that of the reference page."""


class GivenSettings(TypedDict, total=False):
    """The settings as arguments of `configure` and `Recorder`: each may be left out, or None; see `SETTINGS`."""

    store: str | os.PathLike[str] | StoreObject | None
    journal_dir: str | os.PathLike[str] | None
    store_mode: str | int | None
    artifacts: str | os.PathLike[str] | None
    project: str | None
    experiment: str | None
    enabled: bool | None
    durability: str | None
    otlp: bool | str | Otlp | None
    trace_url: str | None
    logging: str | int | None
    set_global: bool | None
    exit_timeout_s: float | None
    heartbeat_s: float | None
    drain_s: float | None
    network_filesystem: bool | None
    capture_git: bool | None
    capture_environment: bool | None
    capture_output: str | None
    redact_secrets: bool | None
    quiet: bool | None
    system_metrics_s: float | None
    ranks: str | None
    step_axis: str | None
    on_error: str | None


def takes_settings(function: _Function) -> _Function:
    """Let `help` and editors at run time show each setting as an argument of a function with `**settings`."""
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in GivenSettings.__annotations__.items()
    ]
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings of one process; see `SETTINGS` for what each means."""

    store: str
    journal_dir: str | None
    store_mode: str | None
    artifacts: str | None
    project: str | None
    experiment: str
    enabled: bool
    durability: Durability
    otlp: bool | Otlp | None
    trace_url: str | None
    logging: int | None
    set_global: bool
    exit_timeout_s: float
    heartbeat_s: float
    drain_s: float
    network_filesystem: bool | None
    capture_git: bool
    capture_environment: bool
    capture_output: CaptureOutput
    redact_secrets: bool
    quiet: bool
    system_metrics_s: float
    ranks: RanksMode
    step_axis: StepAxis
    on_error: OnError

    @classmethod
    def resolve(cls, environ: Mapping[str, str] | None = None, **arguments: object) -> Settings:
        """Return the settings that arguments, environment and defaults give; None means "not given".

        Raises:
            ConfigurationError: an unknown setting, or a value that cannot be used; the text names the
                argument or variable, what it holds and what it may hold.
        """
        environ = os.environ if environ is None else environ
        unknown = sorted(set(arguments) - set(SETTINGS))
        if unknown:
            with SignalsWait("difflib"):
                from difflib import get_close_matches  # noqa: PLC0415 - only where a name is misspelt

            near = get_close_matches(unknown[0], SETTINGS, 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"There is no setting {unknown[0]!r}.\n  {meant}Settings: {', '.join(SETTINGS)}."
            )
        values: dict[str, Any] = {}
        for name, setting in SETTINGS.items():
            given = arguments.get(name)
            if given is not None:
                values[name] = _checked(name, setting, given)
            else:
                values[name] = setting.read(environ)
        return cls(**values)

    @property
    def location(self) -> StoreLocation:
        """Where runs are kept.

        Raises:
            StorePathError: the setting names no place for a store.
        """
        return StoreLocation.parse(self.store)

    @property
    def shown_store(self) -> str:
        """Where runs are kept, as it may be shown and kept: without a password."""
        return without_password(self.store)

    @property
    def is_stored(self) -> bool:
        """Whether runs are kept locally.

        Raises:
            StorePathError: the setting names no place for a store.
        """
        return self.location.is_stored

    @property
    def store_path(self) -> Path | None:
        """The store's file; None for stores without one.

        Raises:
            StorePathError: the setting names no place for a store, or starts from a working directory that is gone.
        """
        return self.location.absolute_path


def _as_text(name: str, value: object) -> object:
    """Return what a variable would hold, of a value in code that is no text there; else the value itself."""
    if name == "store" and not isinstance(value, (str, os.PathLike)):
        return str(StoreLocation.parse(value))
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if name == "store_mode" and isinstance(value, int) and not isinstance(value, bool):
        return f"{value:04o}"
    if name == "logging" and isinstance(value, int):
        return "off" if value is False else str(value)
    return value


def _checked(name: str, setting: Setting, value: object) -> object:
    value = _as_text(name, value)
    if name == "otlp" and isinstance(value, (str, Otlp)):
        return Otlp(endpoint=value) if isinstance(value, str) else value
    expected = setting.default
    try:
        if isinstance(expected, bool) or name in {"otlp", "network_filesystem"}:
            if not isinstance(value, bool):
                other = ", nor an endpoint or an Otlp" if name == "otlp" else ""
                raise ValueError(f"it is neither True nor False{other}")  # noqa: TRY301 - one error for all kinds
            return value
        if isinstance(expected, float):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError("it is not a number")  # noqa: TRY301, TRY004 - as above
            return setting.parse(str(value))
        if not isinstance(value, str) or not value:
            raise ValueError("it is not a text with at least one character")  # noqa: TRY301 - as above
        return setting.parse(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}={value!r} cannot be used: {error}.\n  {setting.brief}") from None


assert {f.name for f in fields(Settings)} == set(SETTINGS), "the table and the class have the same names"
assert set(GivenSettings.__annotations__) == set(SETTINGS), "and so have the arguments"
