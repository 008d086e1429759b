"""What a run's resource says about where it ran."""

import pytest

import otel_experiments as ox
from otel_experiments.record.environment import distributed_attributes
from otel_experiments.semconv import attributes as attr


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, (3, 1, 4)),
        ({"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "2"}, (0, 0, 2)),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
            (1, 1, 2),
        ),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "x", "WORLD_SIZE": "4"}, None),
        ({}, None),
    ],
    ids=["torchrun", "slurm", "openmpi", "alone", "nonsense", "nothing"],
)
def test_ranks_come_from_the_launcher(environ, expected):
    """torchrun, SLURM and Open MPI say which rank this is; a world of one has none."""
    found = distributed_attributes(environ)

    names = (attr.ML_DISTRIBUTED_RANK, attr.ML_DISTRIBUTED_LOCAL_RANK, attr.ML_DISTRIBUTED_WORLD_SIZE)
    assert found == ({} if expected is None else dict(zip(names, expected, strict=True)))


def test_standard_variables_name_the_service(configure, monkeypatch):
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are on every run; our own identity is beside them."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "vision")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab,host.name=mine")
    configure()
    with ox.start_run("r", experiment="e") as run:
        pass

    resource = ox.run("r").resource
    assert (resource[attr.SERVICE_NAME], resource["deployment.environment.name"]) == ("vision", "lab")
    assert (resource[attr.ML_RUN_ID], resource[attr.ML_EXPERIMENT_NAME]) == (run.id, "e")
    assert resource[attr.HOST_NAME] == "mine"


def test_without_a_name_the_project_is_the_folder(configure, tmp_path):
    """`unknown_service` helps nobody."""
    configure()
    with ox.start_run("r"):
        pass

    assert ox.run("r").resource[attr.SERVICE_NAME] == tmp_path.name
