"""Tensors of torch: taken without a warning, fetched at the call, or with `lazy=True` behind it, in order."""

import importlib.util
import os
import subprocess
import sys
import threading
import warnings

import pytest

import otel_experiments as ox
from otel_experiments.record.base.guard import THREAD_PREFIX
from otel_experiments.record.pipeline.waited import WaitedInVain

torch = pytest.importorskip("torch")


class Held(torch.Tensor):
    """A tensor whose value comes when the gate is opened: a device that still computes."""

    gate = threading.Event()

    def item(self):
        """Wait for the gate."""
        assert self.gate.wait(60)
        return super().item()


@pytest.fixture
def held():
    """A maker of such tensors, and the gate; it is open after the test."""
    Held.gate = threading.Event()
    yield lambda value: torch.tensor(value).as_subclass(Held)
    Held.gate.set()


def fetching_threads():
    """The threads that fetch lazy values now."""
    return [thread for thread in threading.enumerate() if thread.name == f"{THREAD_PREFIX}fetch"]


def points(metric):
    """The (step, value) of a metric of run `r`."""
    found = ox.run("r").metrics[metric].points()
    return list(zip(found.steps, found.values, strict=True))


@pytest.mark.parametrize("lazy", [False, True])
def test_a_tensor_that_requires_grad_is_a_number_without_a_warning(forgiving, caplog, lazy):
    """A loss is logged as it comes out of the model, also where warnings are errors; its graph is left alone."""
    loss = torch.tensor([2.0], requires_grad=True)
    with warnings.catch_warnings(), ox.start_run("r") as run:
        warnings.simplefilter("error")
        run.log({"loss": loss * 2, "nested": {"loss": loss}}, lazy=lazy)
        run.log({"loss": loss.sum()}, step=torch.tensor(5), lazy=lazy)
        run.log_params({"scale": loss[0]})
        (loss * 3).backward()

    assert points("loss") == [(0, 4), (5, 2)]
    assert points("nested.loss") == [(0, 2)]
    assert ox.run("r").params.flat == {"scale": 2.0}
    assert loss.grad.item() == 3
    assert caplog.records == []


def test_a_lazy_call_waits_for_no_device(forgiving, held):
    """The call returns while the value is not there; its step and its time are those of the call."""
    with ox.start_run("r") as run:
        run.log({"loss": held(1.0), "lr": 0.5}, lazy=True)
        run.log({"loss": held(2.0)}, lazy=True)
        assert run.next_step("loss") == 2
        assert "loss" not in ox.run("r").metrics  # and nothing waited for it
        assert points("lr") == [(0, 0.5)]
        run.log({"loss": 3.0})
        Held.gate.set()
        run.flush()
        assert points("loss") == [(2, 3.0), (0, 1.0), (1, 2.0)]

    times_ns = ox.run("r").metrics["loss"].times_ns
    assert times_ns[1] < times_ns[2] < times_ns[0]
    assert ox.run("r").metrics["loss"].last == 3.0


def test_what_training_writes_to_the_tensor_later_is_not_recorded(forgiving, held):
    """The value is cloned at the call."""
    tensor = held(1.0)
    with ox.start_run("r") as run:
        run.log({"loss": tensor}, lazy=True)
        tensor.zero_()
        Held.gate.set()

    assert points("loss") == [(0, 1.0)]


def test_lazy_values_come_in_the_order_of_the_calls(forgiving):
    """Hundreds of calls, each metric in its order, the end of the run waits for all."""
    with ox.start_run("r") as run:
        for step in range(300):
            run.log({"a": torch.tensor(float(step)), "b": torch.tensor(-step)}, lazy=True)

    assert points("a") == [(step, step) for step in range(300)]
    assert points("b") == [(step, -step) for step in range(300)]


def test_the_end_waits_for_what_is_not_fetched(forgiving, held):
    """A value that comes while the run ends is in it."""
    opener = threading.Timer(0.2, Held.gate.set)
    with ox.start_run("r") as run:
        run.log({"a": held(1.0)}, lazy=True)
        run.log({"a": held(2.0)}, lazy=True)
        opener.start()

    assert points("a") == [(0, 1.0), (1, 2.0)]
    assert ox.run("r").losses == []


def test_what_is_not_fetched_in_time_is_counted(configure, held, caplog):
    """A device that does not answer holds up no end; what it did not give is told."""
    configure(on_error="log", exit_timeout_s=0.2)
    with ox.start_run("r") as run:
        run.log({"a": held(0.0)}, lazy=True)
        for _ in range(3):
            run.log({"a": held(1.0), "b": held(2.0)}, lazy=True)

    lost = {(one.kind, one.name): one.count for one in ox.run("r").losses}
    assert lost == {("metric value", "lazy"): 7}  # also the one that was being fetched
    assert "were not fetched before the run ended" in caplog.text


def test_a_value_that_comes_after_the_end_is_not_recorded(configure, held):
    """What the run's end has counted as lost stays lost, though the process lives on and the value comes."""
    configure(on_error="log", exit_timeout_s=0.1)
    with ox.start_run("r") as run:
        run.log({"a": held(1.0)}, lazy=True)
    (thread,) = fetching_threads()
    Held.gate.set()
    thread.join(60)

    assert "a" not in ox.run("r").metrics
    assert [(one.kind, one.name, one.count) for one in ox.run("r").losses] == [("metric value", "lazy", 1)]


def test_what_is_logged_lazily_while_the_run_ends_is_counted(configure, held):
    """A call of another thread that comes just after the end's count is counted as well, and keeps no thread."""
    configure(on_error="log", exit_timeout_s=0.1)
    with ox.start_run("r") as run:
        run.log({"a": held(1.0)}, lazy=True)
        points = run._core.points
        points.behind.close()
        run.log({"a": held(2.0)}, lazy=True)
        assert points.behind.wait(60)
        Held.gate.set()

    assert [(one.name, one.count) for one in ox.run("r").losses] == [("lazy", 2)]
    assert "a" not in ox.run("r").metrics


def test_no_thread_is_left_of_ended_runs(forgiving):
    """A process with many runs, such as a sweep, has a thread for each that fetches now, not for each that did."""
    for _ in range(5):
        with ox.start_run() as run:
            run.log({"a": torch.tensor(1.0)}, lazy=True)
    for thread in fetching_threads():
        thread.join(60)

    assert fetching_threads() == []


def test_the_ends_of_several_runs_wait_within_one_budget(configure, held):
    """What one run's end waited in vain for a device is not waited for again by the next one, and at exit."""
    configure(on_error="log", exit_timeout_s=0.1)
    run = ox.start_run("r")
    times_s = iter([0.0, 0.0])
    run._core.pipeline.waited = waited = WaitedInVain(lambda: next(times_s, 10.0))
    run.log({"a": held(1.0)}, lazy=True)
    run.finish()

    assert waited.left_s(12.0) == 2.0


def test_what_is_no_single_number_is_told_at_the_call(forgiving):
    """A lazy call takes what any other takes; a tensor of several numbers is no metric."""
    with ox.start_run("r") as run:
        run.log(
            {"weights": torch.zeros(3), "text": "x", "loss": 1.0, "nan": torch.tensor(float("nan"))},
            lazy=True,
        )

    assert sorted(ox.run("r").metrics) == ["loss", "nan"]
    assert {(one.kind, one.name) for one in ox.run("r").losses} == {
        ("metric value", "weights"),
        ("metric value", "text"),
    }


def test_lazy_takes_step_phase_time_and_the_axis_of_calls(forgiving):
    """All that a call may say is said of what is fetched behind, too."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"a": torch.tensor(1.0)}, lazy=True, time=1000, phase="val")
        run.log({"a": torch.tensor(2.0)}, lazy=True, commit=False, phase="val")
        run.log({"a": torch.tensor(3.0)}, lazy=True, phase="val")
        run.log({"a": torch.tensor(4.0)}, 9, lazy=True, phase="val")

    found = ox.run("r").metrics["a", "val"]
    assert (list(found.steps), list(found.values)) == ([0, 1, 1, 9], [1, 2, 3, 4])
    assert found.times_ns[0] == 1000 * 10**9


def test_a_forked_child_fetches_nothing_of_its_parents(forgiving, held):
    """What waits at a fork is recorded once, by the parent; what the child logs is its own."""
    with ox.start_run("r") as run:
        run.log({"a": held(1.0)}, lazy=True)
        child = os.fork()
        if not child:
            Held.gate.set()
            run.log({"of the child": torch.tensor(5.0)}, lazy=True)
            run.flush()
            os._exit(0)
        os.waitpid(child, 0)
        Held.gate.set()

    assert points("a") == [(0, 1.0)]
    assert points("of the child") == [(0, 5.0)]


JAX = """
import jax
import otel_experiments as ox

def step(x):
    run.log({"traced": x}, lazy=True)
    run.log({"traced": x})
    return x * 2

take_over = jax.jit(lambda x: x + 1, donate_argnums=0)
with ox.start_run("r") as run:
    for index in range(50):
        loss = jax.numpy.float32(index)
        run.log({"loss": loss, "row": jax.numpy.ones((1, 1)), "half": jax.numpy.bfloat16(1.5)}, lazy=True)
        run.log({"now": loss}, step=jax.numpy.int32(index))
        take_over(loss)
    assert jax.jit(step)(jax.numpy.float32(1.0)) == 2
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_arrays_of_jax_are_numbers_and_may_be_donated_once_they_are_logged(tmp_path, monkeypatch):
    """A step that takes over the memory of a lazy value leaves the value; what is only traced is told, and fails nothing."""
    store = tmp_path / "jax.db"
    monkeypatch.setenv("OTEL_EXPERIMENTS_STORE", str(store))
    subprocess.run([sys.executable, "-c", JAX], check=True)  # JAX does not bear the forks of other tests

    run = ox.run("r", store=store)
    assert run.metrics["loss"].values.tolist() == run.metrics["now"].values.tolist() == list(range(50))
    assert (run.metrics["row"].last, run.metrics["half"].last) == (1.0, 1.5)
    assert [(one.kind, one.name, one.count) for one in run.losses] == [("metric value", "traced", 2)]
