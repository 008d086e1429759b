"""Two processes that record into one store and fork workers: each sends what is its own, and all of it arrives."""

import os
import subprocess
import sys
from collections import Counter

import otel_experiments as ox
from otel_experiments.store import open_store

TRAINING = """
import multiprocessing
import sys
import otel_experiments as ox

def work(run, worker):
    with run.stage(f"worker {worker}"):
        for step in range(200):
            with run.step(step):
                run.log({f"loss/{worker}": float(step)}, step=step)
    run.emit("app.done", {"worker": worker})

if __name__ == "__main__":
    name = sys.argv[1]
    fork = multiprocessing.get_context("fork")
    with ox.start_run(name, experiment="both") as run:
        print("started", flush=True)
        sys.stdin.readline()
        workers = [fork.Process(target=work, args=(run, worker)) for worker in range(3)]
        for worker in workers:
            worker.start()
        for step in range(200):
            with run.step(step):
                run.log({"loss": float(step)}, step=step)
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
"""


def test_items_of_forked_workers_of_two_processes_arrive_once(collector, store_path):
    """Each span, point and event of both runs is at the endpoint as often as in the store: once."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPERIMENTS_STORE": str(store_path),
        "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        "OTEL_EXPERIMENTS_CAPTURE_GIT": "false",
        "OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT": "false",  # its event is written when it is gathered
        "OTEL_EXPERIMENTS_CAPTURE_OUTPUT": "off",  # lines stay in the store
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
    }
    script = store_path.with_name("train.py")
    script.write_text(TRAINING)
    trainings = [
        subprocess.Popen(
            [sys.executable, script, name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for training in trainings:
        assert training.stdout.readline() == "started\n"
    for training in trainings:
        training.stdin.write("\n")
        training.stdin.flush()
    said = [training.communicate(timeout=100)[1] for training in trainings]

    assert said == ["", ""]
    for name in ("one", "other"):
        run = ox.run(name, store=store_path)
        assert len(run.spans) == 1 + 3 + 4 * 200
        mine = {"ml.run.id": run.id}
        spans = Counter(
            span.span_id.hex() for span, resource in collector.spans if mine.items() <= resource.items()
        )
        assert spans == Counter(span.span_id for span in run.spans)
        points = Counter(
            (attributes["ml.metric.name"], point.as_double)
            for metric, resource in collector.metrics
            if metric.name == "ml.metric.value" and resource["ml.run.id"] == run.id
            for point in metric.gauge.data_points
            for attributes in [collector.attributes_of(point)]
        )
        names = ["loss", "loss/0", "loss/1", "loss/2"]
        assert points == Counter((name, float(step)) for name in names for step in range(200))
        events = [
            log.event_name for log, resource in collector.log_records if resource["ml.run.id"] == run.id
        ]
        assert sorted(events) == ["app.done"] * 3 + ["ml.run.start", "ml.run.state"]
    with open_store(store_path) as store:
        assert store.unsent() == []
