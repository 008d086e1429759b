"""A forked child waits for nothing that a thread of its parent held when the process forked, whatever either was doing."""

import json

import pytest

FEATURES = {
    # each is done for the first time, or with something new, by a thread of the parent while the process forks
    "log new keys": "run.log({f'{key}': 1.0, f'{key}.other': 2.0})",
    "log a bad value": "run.log({f'{key}': object()})",
    "log_params": "run.log_params({key: {'a': 1}, 'b': [1, 2]})",
    "set_tag": "run.set_tag(key, 'value')",
    "emit": "run.emit('lib.event', {'key': key}, {'more': [1, 2]})",
    "count": "run.count(samples=1, tokens=2)",
    "meter": "run.meter.create_counter(key.replace(' ', '_')).add(1)",
    "logger": "run.logger.emit(event_name='app.event', body=key)",
    "stage": "exec('with run.stage(key): pass')",
    "failing stage": "exec('try:\\n  with run.stage(key): raise ValueError(key)\\nexcept ValueError: pass')",
    "epoch and step": "exec('with run.epoch(0), run.step(1): pass')",
    "evaluation": "exec('with run.evaluation(key): pass')",
    "checkpoint": "exec('with run.checkpoint(key) as c: c.wrote(__file__)')",
    "inference and trace": "exec('with run.inference(key), run.trace(key): pass')",
    "decorator": "ox.trace(lambda: None)(), ox.stage(name=key)(len)(key)",
    "span of the run's tracer": "exec('with run.tracer.start_as_current_span(key): pass')",
    "environment": "run.environment()",
    "start_run": "ox.start_run(key, parent=run, config={'a': 1}).finish()",
}

BODY = """
import faulthandler, itertools

FEATURES = {features}
MINE = {feature!r}
OTLP = {otlp}

if OTLP:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["GRPC_VERBOSITY"] = "NONE"


def use(feature, run, key):
    exec(FEATURES[feature], dict(globals(), run=run, key=key))


def child(run, number):
    faulthandler.dump_traceback_later(60, exit=True)
    for feature in FEATURES:
        use(feature, run, f"child {{number}} {{feature}}")
    run.log({{"child": number}}, step=number)
    os._exit(0)


setup(otlp=OTLP, exit_timeout_s=1.0)
logging = __import__("logging")
logging.getLogger("otel_experiments").addHandler(logging.StreamHandler(open(os.devnull, "w")))
sys.setswitchinterval(1e-5)
stopping, going = False, threading.Event()
with ox.start_run("forking") as run:
    def work():
        for number in itertools.count():
            going.set()
            if stopping:
                return
            try:
                use(MINE, run, f"thread {{number}} {{MINE}}")
            except Exception as error:
                acknowledge("thread", repr(error))
                raise

    thread = threading.Thread(target=work)
    statuses = []
    for number in range({forks}):
        if number == 0:
            thread.start()  # its first use of all, and its imports, meet the first fork
        pid = os.fork()
        if pid == 0:
            child(run, number)
        statuses.append(os.waitpid(pid, 0)[1])
    stopping = True
    thread.join()
acknowledge(json.dumps(statuses))
"""
FORKS = 6


@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
@pytest.mark.parametrize("feature", FEATURES)
def test_a_child_waits_for_nothing_that_a_thread_of_its_parent_held(feature, otlp, script, read):
    """Whatever another thread does first at the moment of a fork, the child records everything and ends."""
    body = BODY.format(features=FEATURES, feature=feature, otlp=otlp, forks=FORKS)
    out, err = script(body).end()

    hang = err[err.find("Timeout (") :] if "Timeout (" in err else err[-2000:]
    assert json.loads(out.splitlines()[-1]) == [0] * FORKS, hang
    run = read().run("forking")
    assert sorted(run.metrics["child"].values) == [float(number) for number in range(FORKS)]


def test_a_fork_gets_its_turn_between_transactions(script, read):
    """While the drain stores without a pause, a forked child still finds the store at rest, and may open it."""
    body = """
    from otel_experiments.store import open_store

    __import__("faulthandler").dump_traceback_later(100, exit=True)
    setup(drain_s=0.001)
    stopping = False
    with ox.start_run("forking") as run:
        assert run.flush(timeout_s=30).is_stored

        def work():
            step = 0
            while not stopping:
                run.log({"loss": step / 3}, step=step)
                step += 1
                if step % 20 == 0:
                    time.sleep(0.001)

        thread = threading.Thread(target=work)
        thread.start()
        statuses = []
        for number in range(15):
            pid = os.fork()
            if pid == 0:
                with open_store(sys.argv[1], read_only=True, create=False) as store:
                    os._exit(0 if len(store.experiments()) == 1 else 3)
            statuses.append(os.waitpid(pid, 0)[1])
        stopping = True
        thread.join()
    acknowledge(json.dumps(statuses))
    """
    out, err = script(body).end()
    assert json.loads(out.splitlines()[-1]) == [0] * 15, err[-3000:]


OTHER_WAYS = {
    "subprocess": "subprocess.run([sys.executable, '-c', 'print(1)'], check=True, stdout=subprocess.DEVNULL)",
    "subprocess with preexec_fn": "subprocess.run(['true'], check=True, preexec_fn=lambda: None)",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], os.environ), 0)",
    "os.system": "os.system('true')",
    "Pool": "multiprocessing.get_context('fork').Pool(2).map(pool_work, range(4))",
    "ProcessPoolExecutor": "list(concurrent.futures.ProcessPoolExecutor(2).map(pool_work, range(4)))",
    "a child of a child": "family()",
}


@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
@pytest.mark.parametrize("way", OTHER_WAYS)
def test_every_way_of_starting_a_process_inside_an_open_scope_returns(way, otlp, script, read):
    """Pools, subprocesses and forks of forks, inside a stage and beside a thread that opens new ones, come back."""
    body = f"""
    import concurrent.futures, faulthandler, itertools, subprocess

    faulthandler.dump_traceback_later(100, exit=True)
    if {otlp}:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
        os.environ["GRPC_VERBOSITY"] = "NONE"

    def pool_work(number):
        run = ox.current_run()
        with run.stage(f"pool {{number}}"):
            run.log({{"pool": number}}, step=number)
            run.emit("lib.event", number)
        return number

    def family():
        pid = os.fork()
        if pid == 0:
            pool_work(0)
            inner = os.fork()
            if inner == 0:
                pool_work(1)
                os._exit(0)
            os._exit(os.waitpid(inner, 0)[1])
        assert os.waitpid(pid, 0)[1] == 0

    if __name__ == "__main__":
        setup(otlp={otlp}, exit_timeout_s=1.0)
        stopping = False
        with ox.start_run("ways") as run:
            def work():
                for number in itertools.count():
                    if stopping:
                        return
                    with run.stage(f"thread {{number}}"):
                        run.log({{f"thread.{{number}}": 1.0}})

            thread = threading.Thread(target=work)
            thread.start()
            with run.stage("outer"):
                for _ in range(2):
                    {OTHER_WAYS[way]}
            stopping = True
            thread.join()
    """
    script(body).end()

    run = read().run("ways")
    assert run.state == "succeeded"
    if way in {"Pool", "ProcessPoolExecutor", "a child of a child"}:
        assert run.metrics["pool"].count == (4 if way == "a child of a child" else 8)


def test_workers_of_a_data_loader_record_while_a_thread_opens_scopes(script, read):
    """PyTorch's DataLoader workers record what they load; none waits, with OTLP on and a busy thread beside them."""
    pytest.importorskip("torch")
    body = """
    import faulthandler, itertools

    faulthandler.dump_traceback_later(110, exit=True)
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["GRPC_VERBOSITY"] = "NONE"
    import torch

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, index):
            run = ox.current_run()
            with run.stage("load", index=index):
                run.log({"loaded": index}, step=index)
            return torch.tensor(float(index))

    if __name__ == "__main__":
        setup(otlp=True, exit_timeout_s=1.0)
        stopping = False
        with ox.start_run("loading") as run:
            def work():
                for number in itertools.count():
                    if stopping:
                        return
                    with run.stage(f"thread {number}"):
                        time.sleep(0.0005)

            thread = threading.Thread(target=work)
            thread.start()
            for epoch in run.epochs(2):
                for batch in torch.utils.data.DataLoader(Data(), batch_size=3, num_workers=2):
                    run.log({"loss": batch.sum()})
            stopping = True
            thread.join()
    """
    script(body).end()

    run = read().run("loading")
    assert run.metrics["loaded"].count == 24
    assert run.metrics["loss"].count == 8
    assert sum(span.name == "stage load" and span.end_ns is not None for span in run.spans) == 24
