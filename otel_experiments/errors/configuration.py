"""Errors of what a user sets up: settings, names and arguments, files of settings, what has to be installed."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.errors.root import OtelExperimentsError, counted


class ConfigurationError(OtelExperimentsError, ValueError):
    """A setting, a name or an argument cannot be used."""


class InvalidNameError(ConfigurationError):
    """A name is empty, too long, or holds a character that no name may hold."""

    def __init__(self, *, kind: str, name: str, why: str, fix: str) -> None:
        self.kind, self.name = kind, name
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        super().__init__(f"The {kind} {shown!r} cannot be used: {why}.\n  {fix}")


class MappingFileError(ConfigurationError):
    """A file that says which run foreign telemetry belongs to cannot be read or used; `problems` says each reason."""

    def __init__(self, *, path: str, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        found = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"The mapping {path!r} cannot be used: {counted(len(problems), 'problem')}.\n{found}\n"
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


class MissingPackageError(OtelExperimentsError, ImportError):
    """Something was asked for that needs a package which is not installed; `extra` brings it, where there is one."""

    def __init__(self, *, package: str, purpose: str, extra: str | None) -> None:
        self.package, self.purpose, self.extra = package, purpose, extra
        wanted = package if extra is None else f"'otel-experiments[{extra}]'"
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.\n"
            f"  Install it: pip install {wanted}"
        )


class MissingToolError(OtelExperimentsError, OSError):
    """A program that is not part of this package, and no Python package, is not installed."""

    def __init__(self, *, tool: str, purpose: str, install: str) -> None:
        self.tool, self.purpose, self.install = tool, purpose, install
        super().__init__(
            f"{purpose} needs the program {tool!r}, which is not on the PATH.\n  Install it: {install}"
        )
