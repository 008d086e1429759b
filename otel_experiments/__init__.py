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
    from otel_experiments import errors as errors
    from otel_experiments._aliases import remove_alias, set_alias
    from otel_experiments._attach import attach, detach
    from otel_experiments._bundle import bundle
    from otel_experiments._comparing import ab_test, compare, diff
    from otel_experiments._export import export
    from otel_experiments._merge import import_store
    from otel_experiments._push import push
    from otel_experiments._reading import (
        artifact,
        experiments,
        find_artifacts,
        lineage,
        open_reader,
        run,
        run_of,
        runs,
        spans,
        sql,
        traces,
    )
    from otel_experiments._reading import open as open  # noqa: A004 - read as ox.open
    from otel_experiments._recording import (
        Recorder,
        Run,
        active_run,
        config,
        configure,
        current_run,
        define_metric,
        end_run,
        experiment,
        finish,
        fork,
        init,
        join_run,
        log,
        log_artifact,
        log_artifacts,
        log_dict,
        log_figure,
        log_image,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        log_table,
        log_text,
        set_experiment,
        set_tag,
        set_tags,
        shutdown,
        span,
        stage,
        start_run,
        step,
        summary,
        trace,
        worker_init,
    )
    from otel_experiments._replay import export_otlp, import_otlp
    from otel_experiments.codec.media.audio import Audio
    from otel_experiments.codec.media.figure import Figure
    from otel_experiments.codec.media.histogram import Histogram
    from otel_experiments.codec.media.image import Image
    from otel_experiments.codec.media.plots import Plot, confusion_matrix, pr_curve, roc_curve
    from otel_experiments.codec.media.table import Table
    from otel_experiments.codec.media.texts import Html, Text
    from otel_experiments.codec.media.video import Video
    from otel_experiments.model.run import RunState
    from otel_experiments.record.base.otlp_setting import Otlp
    from otel_experiments.record.metrics.sinks import JSONLMetrics, MetricsSink
    from otel_experiments.sweeps.space import choice, loguniform, randint, uniform
    from otel_experiments.sweeps.sweep import sweep

    __version__: str

__all__ = [
    "Audio",
    "Figure",
    "Histogram",
    "Html",
    "Image",
    "JSONLMetrics",
    "MetricsSink",
    "Otlp",
    "Plot",
    "Recorder",
    "Run",
    "RunState",
    "Table",
    "Text",
    "Video",
    "ab_test",
    "active_run",
    "artifact",
    "attach",
    "bundle",
    "choice",
    "compare",
    "config",
    "configure",
    "confusion_matrix",
    "current_run",
    "define_metric",
    "detach",
    "diff",
    "end_run",
    "experiment",
    "experiments",
    "export",
    "export_otlp",
    "find_artifacts",
    "finish",
    "fork",
    "import_otlp",
    "import_store",
    "init",
    "join_run",
    "lineage",
    "log",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "loguniform",
    "open_reader",
    "pr_curve",
    "push",
    "randint",
    "remove_alias",
    "roc_curve",
    "run",
    "run_of",
    "runs",
    "set_alias",
    "set_experiment",
    "set_tag",
    "set_tags",
    "shutdown",
    "span",
    "spans",
    "sql",
    "stage",
    "start_run",
    "step",
    "summary",
    "sweep",
    "trace",
    "traces",
    "uniform",
    "worker_init",
]


_ELSEWHERE = {
    "use_artifact": "current_run().use_artifact(NAME)",
    "log_model": "current_run().link_model(PATH)",
    "last_active_run": "run('latest')",
    "get_run": "run(ID_OR_NAME)",
    "search_runs": "runs('metrics.loss.min < 0.1')",
    "search_experiments": "experiments()",
    "log_input": "current_run().use_artifact(NAME)",
    "alert": "current_run().emit(NAME, BODY)",
    "Api": "runs('metrics.loss.min < 0.1')",
    "agent": "sweep(function, space)",
    "delete_tag": "set_tag(KEY, None)",
}
"""What hands that learnt another tracker type, and what it is here."""


_NOT_HERE = {
    **dict.fromkeys(
        ("Object3D", "Molecule", "Graph"),
        "it has no form of its own here; keep its file with run.log_artifact(path)",
    ),
    **dict.fromkeys(
        ("Artifact", "save"),
        "files and folders are kept by log_artifact(path, name), bytes as well",
    ),
    "plot": "it is no package here; log confusion_matrix(...), roc_curve(...), pr_curve(...), Histogram(...) or a Table(...)",
    "watch": "gradients are not recorded by themselves; log their norms with run.log",
    "autolog": "nothing is logged by itself; call log({name: value})",
    "unwatch": "nothing is watched; remove the call",
    "log_code": "the git commit is recorded by itself; keep a file or folder with log_artifact(path)",
    "Settings": "there is no such class; configure(...) takes settings by name, and init needs none",
    "set_tracking_uri": "there is no server; configure(store=PATH) says which file has the runs",
    "login": "there is no account and no server; remove the call",
    **dict.fromkeys(("setup", "teardown"), "nothing has to be set up or taken down; remove the call"),
    "mark_preempting": "nothing has to be said: a run that is killed is lost, and goes on with start_run(resume=ID)",
    "restore": "files of a run are read with run(NAME).artifacts",
    "Plotly": "log the figure itself: log({name: figure}), or Figure(figure)",
    **dict.fromkeys(("termlog", "termwarn", "termerror"), "print the text, or use logging"),
}
"""What other trackers have and this one has not, and what can be done."""


_LIGHT = {"Otlp": "otel_experiments.record.base.otlp_setting", "RunState": "otel_experiments.model.run"}
_APART = {
    "Audio": "otel_experiments.codec.media.audio",
    "Figure": "otel_experiments.codec.media.figure",
    "Histogram": "otel_experiments.codec.media.histogram",
    "Html": "otel_experiments.codec.media.texts",
    "Image": "otel_experiments.codec.media.image",
    "JSONLMetrics": "otel_experiments.record.metrics.sinks",
    "MetricsSink": "otel_experiments.record.metrics.sinks",
    "Plot": "otel_experiments.codec.media.plots",
    "Table": "otel_experiments.codec.media.table",
    "Text": "otel_experiments.codec.media.texts",
    "Video": "otel_experiments.codec.media.video",
    "attach": "otel_experiments._attach",
    "confusion_matrix": "otel_experiments.codec.media.plots",
    "detach": "otel_experiments._attach",
    "bundle": "otel_experiments._bundle",
    "export": "otel_experiments._export",
    "export_otlp": "otel_experiments._replay",
    "import_otlp": "otel_experiments._replay",
    "import_store": "otel_experiments._merge",
    "pr_curve": "otel_experiments.codec.media.plots",
    "push": "otel_experiments._push",
    "remove_alias": "otel_experiments._aliases",
    "set_alias": "otel_experiments._aliases",
    **dict.fromkeys(("ab_test", "compare", "diff"), "otel_experiments._comparing"),
    **dict.fromkeys(("choice", "loguniform", "randint", "uniform"), "otel_experiments.sweeps.space"),
    "sweep": "otel_experiments.sweeps.sweep",
    "roc_curve": "otel_experiments.codec.media.plots",
}
_READING = (
    "artifact", "experiments", "find_artifacts", "lineage", "open", "open_reader", "run", "run_of", "runs", "spans", "sql", "traces",
)  # fmt: skip
_NOT_STARRED = ("open",)
"""Public names that `from otel_experiments import *` leaves out, since Python has a function of the name."""


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - 10 ms that few need

            return version("otel-experiments")
        if name == "errors":
            import otel_experiments.errors  # noqa: PLC0415 - lazy on purpose

            return otel_experiments.errors
        if name not in __all__ and name not in _NOT_STARRED:
            here = f". Here it is {__name__}.{_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            here = f": {_NOT_HERE[name]}" if name in _NOT_HERE else here
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{here}")
        from importlib import import_module  # noqa: PLC0415 - lazy on purpose

        from otel_experiments.process.signals_wait import SignalsWait  # noqa: PLC0415 - as above

        if name in _READING:
            module = "otel_experiments._reading"
        elif name in _APART:
            module = _APART[name]
        else:
            module = _LIGHT.get(name, "otel_experiments._recording")
        with SignalsWait(module):
            value = getattr(import_module(module), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, *_NOT_STARRED, "__version__", "errors"]
