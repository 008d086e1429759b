"""What a run's resource says about where it ran."""

import otel_experiments as ox
from otel_experiments.semconv import attributes as attr


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
