"""Forked children live on beside a gRPC request that waits for its answer."""

import json

import pytest

BODY = """
import json, socket, threading, time

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)  # it accepts, and never says anything
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
before = dict(os.environ)
setup(exit_timeout_s=0.5)
ended = {}
with ox.start_run("forking") as run:
    stopping = threading.Event()

    def work():
        for step in range(10**9):
            if stopping.is_set():
                return
            with run.stage("beside"):
                run.log({"loss": 1.0}, step=step)
            time.sleep(0.0005)

    worker = threading.Thread(target=work)
    worker.start()
    for number in range(150):
        child = os.fork()
        if child == 0:
            with run.stage("forked"):
                run.log({"child": number}, step=number)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        ended[status] = ended.get(status, 0) + 1
        time.sleep(0.003)
    stopping.set()
    worker.join()
acknowledge(json.dumps([ended, dict(os.environ) == before]))
"""


@pytest.mark.slow
def test_children_end_well_beside_an_endpoint_that_never_answers(script, read):
    """Of 150 children that are forked while a request is under way none is aborted, and each has its point and span."""
    ended, is_environment_kept = json.loads(script(BODY).line())

    reader = read()
    (run,) = reader.runs()
    assert ended == {"0": 150}
    assert is_environment_kept
    assert sorted(run.metrics["child"].points().values) == list(range(150))
    assert len([span for span in run.spans if span.name == "stage forked"]) == 150
