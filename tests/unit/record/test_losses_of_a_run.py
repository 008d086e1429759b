"""What a run lost is in its report, and what others lost is not."""

import logging

import otel_experiments as ox


def test_the_report_of_a_run_has_its_losses_alone(forgiving):
    """A clean run that ends after one that lost something is told to be clean; the process knows of both."""
    with ox.start_run("dirty") as dirty:
        dirty.log({"loss": object()})
    clean = ox.start_run("clean")
    clean.log({"loss": 1.0})

    assert clean.flush().lost == {}
    assert clean.finish().lost == {}
    assert dirty.finish().lost == {"metric value": 1}
    assert ox.shutdown().lost == {"metric value": 1}
    assert [len(ox.run(name).losses) for name in ("dirty", "clean")] == [1, 0]


def test_a_resumed_run_reports_its_own_losses(forgiving):
    """What a run lost before it was resumed, in the same process, is still its own."""
    run = ox.start_run("r")
    run.log({"loss": object()})
    run.finish()
    with ox.start_run(resume=run.id) as again:
        again.log({"loss": object()})

    assert again.finish().lost == {"metric value": 2}


def test_each_name_is_told_with_what_is_counted_of_it(forgiving, caplog):
    """A line about one name does not say that other names will not be reported: they are."""
    with caplog.at_level(logging.WARNING, logger="otel_experiments"), ox.start_run("r") as run:
        for _ in range(2):
            run.log_artifact("missing-1.pt")
            run.log_artifact("missing-2.pt")

    told = [record.getMessage() for record in caplog.records if "missing-" in record.getMessage()]
    assert len(told) == 2
    for number, text in enumerate(told, 1):
        assert text.endswith(
            f"(further losses of 'missing-{number}.pt' of the kind 'artifact' are counted, not reported)"
        )
