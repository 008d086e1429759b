"""What process and host readings say, against what this very process does."""

import os
import subprocess
import sys
import time

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.settings import Settings
from otel_experiments.record.system.host import HostSource, ProcessSource
from otel_experiments.record.system.nvidia import NvidiaSource
from otel_experiments.record.system.system_metrics import SystemMetrics
from otel_experiments.semconv import metrics


def total(readings, definition):
    """Return the sum of a metric's readings."""
    found = [reading.value for reading in readings if reading.definition is definition]
    assert found, f"no reading of {definition.name}"
    return sum(found)


def burn(seconds):
    """Use this thread's CPU for so many seconds."""
    start_s = time.thread_time()
    while time.thread_time() - start_s < seconds:
        sum(range(1000))


def test_cpu_time_grows_by_what_the_process_uses():
    """0.3 s of work are 0.3 s more in process.cpu.time, within the kernel's clock ticks."""
    source = ProcessSource()
    before = total(source.read(), metrics.PROCESS_CPU_TIME)
    burn(0.3)
    after = total(source.read(), metrics.PROCESS_CPU_TIME)

    assert 0.25 <= after - before <= 0.6


def test_utilization_is_a_share_of_the_usable_cpus():
    """The first sample has none, the next is above zero and at most 1; one too close has none again."""
    source = ProcessSource()
    first = list(source.read())
    burn(0.3)
    second = list(source.read())
    third = list(source.read())

    assert not [r for r in first if r.definition is metrics.PROCESS_CPU_UTILIZATION]
    assert 0 < total(second, metrics.PROCESS_CPU_UTILIZATION) <= 1
    assert not [r for r in third if r.definition is metrics.PROCESS_CPU_UTILIZATION]


def test_a_childs_use_counts_while_it_lives_and_after():
    """A child's memory is added while it lives; its CPU time stays when it is gone."""
    code = "x = bytearray(100_000_000); print('ready', flush=True); input(); sum(range(20_000_000))"
    source = ProcessSource()
    alone = list(source.read())
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        child.stdout.readline()
        together = list(source.read())
        child.communicate("go\n")
    gone = list(source.read())

    memory = metrics.PROCESS_MEMORY_USAGE
    assert total(together, memory) - total(alone, memory) > 90_000_000
    assert total(gone, memory) < total(together, memory) - 90_000_000
    assert total(gone, metrics.PROCESS_CPU_TIME) - total(alone, metrics.PROCESS_CPU_TIME) > 0.2
    assert total(together, metrics.PROCESS_THREAD_COUNT) > total(alone, metrics.PROCESS_THREAD_COUNT)


def test_counters_never_go_back_when_a_child_is_reaped_by_nobody():
    """What a child used that the kernel forgets (SIGCHLD ignored) is not taken away again."""
    script = (
        "import signal, subprocess, sys, time\n"
        "from otel_experiments.record.system.host import ProcessSource\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "source = ProcessSource()\n"
        "code = \"sum(range(20_000_000)); print('done', flush=True); input()\"\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdin=-1, stdout=-1)\n"
        "child.stdout.readline()\n"
        "cpu = lambda: sum(r.value for r in source.read() if r.definition.name == 'process.cpu.time')\n"
        "before = cpu()\n"
        "child.stdin.close()\n"
        "child.wait()  # until the kernel has forgotten it\n"
        "print(before, cpu())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())

    assert before > 0.2
    assert after >= before


def test_written_bytes_and_open_files_are_counted(tmp_path):
    """What goes to disk and what is open shows in the readings."""
    source = ProcessSource()
    before = list(source.read())
    with (tmp_path / "data").open("wb") as file:
        file.write(os.urandom(5_000_000))
        file.flush()
        os.fsync(file.fileno())
        after = list(source.read())

    files = metrics.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT
    assert total(after, files) == total(before, files) + 1
    assert total(after, metrics.PROCESS_DISK_IO) - total(before, metrics.PROCESS_DISK_IO) >= 4_000_000


def test_memory_states_of_the_host_sum_up_to_its_limit():
    """used, free, buffers and cached are all the memory there is, and their shares sum up to 1."""
    readings = list(HostSource().read())

    assert total(readings, metrics.SYSTEM_MEMORY_USAGE) == total(readings, metrics.SYSTEM_MEMORY_LIMIT)
    assert total(readings, metrics.SYSTEM_MEMORY_UTILIZATION) == pytest.approx(1)


def test_shares_of_the_hosts_cpu_time_sum_up_to_about_one():
    """Everything that the CPUs did in between, idling included, is about the time that passed."""
    source = HostSource()
    list(source.read())
    began_s = time.process_time()
    while time.process_time() < began_s + 0.5:
        sum(range(10_000))
    readings = list(source.read())

    assert total(readings, metrics.SYSTEM_CPU_UTILIZATION) == pytest.approx(1, abs=0.2)
    assert total(readings, metrics.SYSTEM_CPU_LOGICAL_COUNT) == os.cpu_count()


def test_without_nvml_there_are_no_gpu_readings(monkeypatch):
    """A missing package or driver gives nothing and raises nothing."""
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert list(NvidiaSource().read()) == []


def test_gpu_readings_are_those_of_the_driver():
    """On a host with an NVIDIA GPU, memory and utilization are told for each."""
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        pytest.skip(f"no NVIDIA GPU answers: {error}")
    count = pynvml.nvmlDeviceGetCount()

    readings = list(NvidiaSource().read())

    limits = [r for r in readings if r.definition is metrics.HW_GPU_MEMORY_LIMIT]
    assert len(limits) == count
    assert all(0 <= r.value <= 1 for r in readings if r.definition is metrics.HW_GPU_UTILIZATION)


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_distance_that_is_no_time_is_refused(value):
    """A negative distance or NaN is an error of configuration that names the setting."""
    with pytest.raises(ConfigurationError, match="system_metrics_s"):
        Settings.resolve({}, system_metrics_s=value)


def test_a_run_that_ends_gets_one_last_sample(configure):
    """A look that falls between the last sample of a run and the end of the run adds no other sample."""
    pipeline = configure()
    system = SystemMetrics(pipeline, interval_s=1e-9)
    with ox.start_run("r") as run:
        system.tick([active_runs[run.id]])
        system.sample_last(active_runs[run.id])
        system.tick([active_runs[run.id]])
        assert len({point.time_ns for point in stored_points(metrics.PROCESS_UPTIME.name)}) == 2


def stored_points(name):
    """Return the data points of an instrument, everything recorded so far included."""
    return active_store().instrument_points(name=name)
