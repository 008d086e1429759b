"""The machine and the job that a run is part of."""

from otel_experiments.record.snapshot.job import MAX_CHARS, MAX_VARIABLES, job_facts, variables_of
from otel_experiments.record.snapshot.machine import machine_facts


def test_the_machine_is_described_by_what_the_system_says(tmp_path):
    """Processor, GPUs by model and number, and the driver come from the files of the kernel."""
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nmodel name\t: Some CPU @ 2 GHz\n"
    )
    for index, model in enumerate(["NVIDIA H200", "NVIDIA H200", "NVIDIA L4"]):
        folder = tmp_path / "nvidia" / "gpus" / f"0000:0{index}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ: 12\n")
    version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 1\n"
    (tmp_path / "nvidia" / "version").write_text(version)

    found = machine_facts(cpu_info=tmp_path / "cpuinfo", nvidia=tmp_path / "nvidia")

    assert found["cpu"] == "Some CPU @ 2 GHz"
    assert found["accelerators"] == ["2 x NVIDIA H200", "NVIDIA L4"]
    assert found["driver"] == "NVIDIA 570.86.15"
    assert 0 < found["usable_cpu_count"] <= found["cpu_count"]
    assert 0 < found["usable_memory_bytes"] <= found["memory_bytes"]


def test_what_a_machine_does_not_have_is_left_out(tmp_path):
    """Without a GPU there is no word of one."""
    found = machine_facts(cpu_info=tmp_path / "none", nvidia=tmp_path / "none")

    assert "accelerators" not in found
    assert "driver" not in found
    assert all(found.values())


def test_each_system_that_started_the_job_has_its_facts():
    """A job of SLURM inside CI has both; what a system does not say is left out."""
    environ = {
        "SLURM_JOB_ID": "4711", "SLURM_JOB_PARTITION": "gpu", "SLURM_ARRAY_TASK_ID": "",
        "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "9", "CI_JOB_ID": "of no pipeline",
    }  # fmt: skip

    assert job_facts(environ) == {
        "slurm": {"job_id": "4711", "partition": "gpu"},
        "github": {"repository": "o/r", "run_id": "9"},
    }
    assert job_facts({}) == {}


def test_only_listed_variables_are_recorded():
    """What changes results or speed is there; what may hold a secret, or means nothing here, is not."""
    kept = {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "OMP_NUM_THREADS": "4",
        "PYTHONHASHSEED": "0",
        "NCCL_DEBUG": "INFO",
        "HF_HOME": "/x",
    }
    left = {
        "HF_TOKEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "HOME": "/root",
        "TF_VAR_password": "s",
        "MY_CUDA_VISIBLE_DEVICES": "1",
    }

    assert variables_of({**kept, **left}) == kept


def test_long_and_many_variables_are_cut():
    """A value has at most so many characters, and there are at most so many."""
    environ = {f"OMP_A{index:03}": "x" * (MAX_CHARS + 1) for index in range(MAX_VARIABLES + 1)}

    found = variables_of(environ)

    assert len(found) == MAX_VARIABLES
    assert {len(value) for value in found.values()} == {MAX_CHARS}
