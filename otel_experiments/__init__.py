"""Local-first ML experiment tracking whose native data model is OpenTelemetry.

A run is recorded, and read back by its name:

    import otel_experiments as ox

    with ox.start_run("baseline", experiment="digits", config={"lr": 0.1}) as run:
        for epoch in run.epochs(3):
            run.log({"loss": 1 / (epoch + 1)}, step=epoch)

    print(ox.run("baseline").metrics["loss"].min)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_experiments._api import (
        Run,
        configure,
        current_run,
        experiments,
        finish,
        init,
        log,
        log_params,
        run,
        runs,
        set_tag,
        set_tags,
        shutdown,
        sql,
        stage,
        start_run,
        step,
        trace,
    )
    from otel_experiments.model.run import RunState

__all__ = [
    "Run",
    "RunState",
    "configure",
    "current_run",
    "experiments",
    "finish",
    "init",
    "log",
    "log_params",
    "run",
    "runs",
    "set_tag",
    "set_tags",
    "shutdown",
    "sql",
    "stage",
    "start_run",
    "step",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 10 ms that few need

        return version("otel-experiments")
    if name == "errors":
        import otel_experiments.errors  # noqa: PLC0415 - lazy on purpose

        return otel_experiments.errors
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from otel_experiments import _api  # noqa: PLC0415 - lazy on purpose

    value = getattr(_api, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "errors"]
