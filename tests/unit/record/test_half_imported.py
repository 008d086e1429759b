"""Recording beside another thread that is importing a module: it stands half empty in `sys.modules` for a moment."""

import os
import sys
import types

import pytest

import otel_experiments as ox


@pytest.mark.parametrize(
    "name",
    [
        "asyncio",
        "multiprocessing.process",
        "multiprocessing.util",
        "IPython",
        "torch.distributed",
        "mpi4py.MPI",
    ],
)
def test_a_module_that_another_thread_imports_just_now_costs_nothing(name, store_path, monkeypatch):
    """Runs, spans and points are recorded, in a forked child as well, while a library is only half imported."""
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    process = ox.configure(store=store_path, capture_git=False, system_metrics_s=0)

    with ox.start_run("beside") as run:
        with run.stage("load"):
            run.log({"loss": 1.0})
        child = os.fork()
        if child == 0:
            with run.stage("forked"):
                run.log({"child": 1.0})
            os._exit(0 if not process.guard.losses else 1)
        status = os.waitpid(child, 0)[1]
    losses = dict(process.guard.losses)
    ox.shutdown()

    (found,) = ox.runs(store=store_path)
    assert (status, losses) == (0, {})
    assert {span.name for span in found.spans} >= {"stage load", "stage forked"}
