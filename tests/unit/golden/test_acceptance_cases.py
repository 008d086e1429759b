"""The acceptance cases of golden traces: what has to pass, what has to fail, and what has to be said."""

import dataclasses
import math
import random

import pytest

from otel_experiments.errors import GoldenInvalidError
from otel_experiments.golden.baseline import Golden, make_golden
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.golden.timing.model import TimingSettings
from otel_experiments.model.span import SpanKind, StatusCode
from otel_experiments.semconv import attributes as attr

STEP = "run/epoch/train.step"
NOISE = {"noise": 0.01, "jitter": 0.01}


def conditions(programs, seed, **changes):
    """Return conditions of a quiet machine."""
    return programs.Conditions(seed=seed, **{**NOISE, **changes})


def golden_of(programs, program, *, runs=1, **options):
    """Return the golden of some runs of a program."""
    captured = [programs.run_program(program, conditions(programs, seed)) for seed in range(runs)]
    return make_golden(captured, **options)


def check(programs, golden_program, candidate_program, *, runs=1, policy=None, changed=None, **options):
    """Return the comparison of a candidate program with the golden of another one."""
    golden = golden_of(programs, golden_program, runs=runs, **options)
    candidate = programs.run_program(candidate_program, conditions(programs, 77, **(changed or {})))
    return compare(golden, [candidate], policy=policy)


def codes(comparison, severities=("fail",)):
    """Return (code, path, count) of the findings of some severities."""
    return [
        (finding.code, finding.path, finding.count)
        for finding in comparison.findings
        if finding.severity in severities
    ]


def changed(programs, change, **options):
    """Return the base program after `change(work, body, place, parent)` met each of its works."""
    program = programs.training(**options)
    for work, body, place, parent in list(programs.walk([program])):
        change(work, body, place, parent)
    return program


# --- E: equal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("E1 ids, times, host", {"resource": {"host.name": "other", "process.pid": 99}}),
        ("E2 shards in another order", {"jitter": 0.02}),
        ("E3 shards do not overlap", {"overlap": False}),
        ("E4 export shuffled", {"shuffle": True}),
        ("E5 three percent slower", {"speed": 1.03}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_equal_programs_pass_and_nothing_is_reported(programs, name, change):
    """What differs between two runs of one program is not a change of the program."""
    program = programs.training()

    comparison = check(programs, program, program, runs=5, changed=change)

    assert (comparison.verdict, comparison.findings) == ("pass", ())


def test_other_home_and_temporary_paths_are_equal(programs):
    """E1: where a file lies on this machine is not compared, its name is."""
    golden = changed(
        programs,
        lambda work, *_: (
            work.attributes.update(home="/home/ann/data/toy.csv") if work.name == "data.load" else None
        ),
    )
    candidate = changed(
        programs,
        lambda work, *_: (
            work.attributes.update(home="/Users/bob/data/toy.csv")
            if work.name == "data.load"
            else work.attributes.update(path=work.attributes["path"].replace("/tmp/run-1", "/tmp/x8/y"))
            if work.name == "checkpoint.save"
            else None
        ),
    )

    assert check(programs, golden, candidate).findings == ()


def test_attribute_order_is_not_compared(programs):
    """E6: attributes are a set of keys."""
    golden = changed(programs, lambda work, *_: None)
    candidate = changed(
        programs,
        lambda work, *_: setattr(work, "attributes", dict(reversed(list(work.attributes.items())))),
    )

    assert check(programs, golden, candidate).findings == ()


def test_a_loss_within_its_tolerance_is_equal(programs):
    """E7: a loss that is off by 3e-5 relative is the same loss."""
    golden = programs.training()
    candidate = programs.training(loss=lambda step: 2.1 * 0.97**step * (1 + 3e-5))

    assert check(programs, golden, candidate).findings == ()


# --- S: structure ------------------------------------------------------------------------------------------------


def test_a_retry_is_named(programs):
    """S1: a failed backward followed by a good one is a retry in that step, and nothing else."""

    def retry(work, body, place, parent):
        if work.name == "backward" and parent.attributes["step"] == 12:
            body.insert(place, programs.Work("backward", own_ms=2.0, status=StatusCode.ERROR))

    comparison = check(programs, programs.training(), changed(programs, retry))

    assert codes(comparison) == [("retry", f"{STEP}/backward", 1)]
    assert comparison.failures[0].examples[0].index == (("epoch", 1), ("step", 12))


def test_two_failed_tries_are_three_tries(programs):
    """Where a stage fails twice and then works, the finding says that there were three tries."""

    def retry(work, body, place, parent):
        if work.name == "backward" and parent.attributes["step"] == 12:
            body[place:place] = [
                programs.Work("backward", own_ms=2.0, status=StatusCode.ERROR) for _ in range(2)
            ]

    comparison = check(programs, programs.training(), changed(programs, retry))

    assert codes(comparison) == [("retry", f"{STEP}/backward", 2)]
    assert (comparison.failures[0].golden, comparison.failures[0].candidate) == ("1 try", "3 tries")


def test_a_renamed_stage_is_one_finding(programs):
    """S2: thirty renamed spans are one rename, not sixty additions and removals."""
    candidate = changed(
        programs, lambda work, *_: setattr(work, "name", "bwd_pass") if work.name == "backward" else None
    )

    comparison = check(programs, programs.training(), candidate)

    assert codes(comparison) == [("renamed", f"{STEP}/backward", 30)]
    assert (comparison.failures[0].golden, comparison.failures[0].candidate) == ("backward", "bwd_pass")


def test_one_step_more_per_epoch_is_one_count(programs):
    """S3: three epochs of eleven steps are 33 steps; the shifted step numbers are not reported."""
    comparison = check(programs, programs.training(), programs.training(steps=11))

    structure = [one for one in comparison.failures if one.group == "structure"]
    assert [(one.code, one.path, one.golden, one.candidate) for one in structure] == [
        ("count", STEP, "30", "33")
    ]
    assert {one.group for one in comparison.failures} <= {"structure", "numbers"}


def test_one_epoch_less_is_one_count(programs):
    """S4: a missing epoch is one finding; nothing below it is reported."""
    comparison = check(programs, programs.training(), programs.training(epochs=2))

    assert codes(comparison) == [("count", "run/epoch", 1)]
    assert (comparison.failures[0].golden, comparison.failures[0].candidate) == ("3", "2")


def test_a_skipped_evaluation_names_its_epoch(programs):
    """S5: an evaluation skipped in epoch 1 is a count with that epoch, and no curve noise."""

    def skip(work, body, place, parent):
        if work.name == "eval" and parent.attributes["epoch"] == 1:
            body.remove(work)

    comparison = check(programs, programs.training(), changed(programs, skip))

    assert codes(comparison) == [("count", "run/epoch/eval", 1)]
    assert comparison.failures[0].examples[0].index == (("epoch", 1),)


def test_an_evaluation_that_never_runs_is_removed_with_its_metric(programs):
    """S6: a stage that is gone everywhere is removed, and so is the metric it carried."""
    comparison = check(programs, programs.training(), programs.training(has_eval=False))

    assert codes(comparison) == [("removed", "run/epoch/eval", 3), ("metric-removed", "run/epoch/eval", 1)]


def test_a_span_under_another_parent_is_moved(programs):
    """S7: the last checkpoint, saved after the loop instead of inside it, has moved."""
    candidate = programs.training()
    candidate.body.append(candidate.body[-1].body.pop())

    comparison = check(programs, programs.training(), candidate)

    assert codes(comparison) == [("moved", "run/epoch/checkpoint.save", 1)]
    assert "epoch=2" in comparison.failures[0].golden


def test_another_order_is_reordered(programs):
    """S9: the optimizer before backward, in every step, is one finding."""

    def swap(work, *_):
        if work.name == "train.step":
            work.body[2], work.body[3] = work.body[3], work.body[2]

    comparison = check(programs, programs.training(), changed(programs, swap))

    assert codes(comparison) == [("reordered", STEP, 30)]
    assert (comparison.failures[0].golden, comparison.failures[0].candidate) == (
        "backward, optimizer",
        "optimizer, backward",
    )


def test_a_new_span_on_another_thread_is_added(programs):
    """S10: one new span is one addition."""
    candidate = programs.training()
    candidate.body.append(programs.Par([[programs.Work("upload", own_ms=1.0)]]))

    comparison = check(programs, programs.training(), candidate)

    assert codes(comparison) == [("added", "run/upload", 1)]


def test_parallel_loading_that_became_serial_is_named(programs):
    """S12: the four shards are loaded one after the other now."""
    comparison = check(programs, programs.training(), programs.training(serial=True))

    assert codes(comparison) == [("serialised", "run/data.load", 1)]
    assert comparison.failures[0].golden == "4 lanes"


def test_a_pool_of_one_worker_is_serial(programs):
    """S12: four lanes that became one lane are serial too, though it is not the caller's."""
    candidate = programs.training()
    candidate.body[0].body[0] = programs.Par(candidate.body[0].body[0].strands, "pool", workers=1)

    comparison = check(programs, programs.training(), candidate)

    assert codes(comparison) == [("serialised", "run/data.load", 1)]


@pytest.mark.parametrize("task_ms", [0.5, 2, 16])
def test_a_pool_whose_first_worker_was_quick_enough_is_parallel(programs, task_ms):
    """S12: short tasks that one worker of a pool happened to do are as parallel as before."""
    golden, candidate = programs.training(), programs.training()
    for program in (golden, candidate):
        for (shard,) in program.body[0].body[0].strands:
            shard.own_ms = task_ms
    candidate.body[0].body[0] = programs.Par(candidate.body[0].body[0].strands, "pool", workers=1)

    assert codes(check(programs, golden, candidate)) == []


# --- A: attributes -----------------------------------------------------------------------------------------------


def test_a_changed_learning_rate_is_one_finding(programs):
    """A1: thirty optimizer spans with another learning rate are one line."""
    comparison = check(programs, programs.training(), programs.training(lr=0.01))

    assert [(one.code, one.key, one.count, one.golden, one.candidate) for one in comparison.failures] == [
        ("attr", "lr", 30, "0.001", "0.01")
    ]


@pytest.mark.parametrize("value", ["1000", 1000.0, True], ids=["text", "float", "bool"])
def test_another_type_is_named(programs, value):
    """A2: the number 1000 and the text "1000" are two values, and so are int and float."""
    candidate = programs.training()
    candidate.body[0].attributes["n"] = value

    comparison = check(programs, programs.training(), candidate)

    assert [(one.code, one.path, one.key) for one in comparison.failures] == [
        ("attr-type", "run/data.load", "n")
    ]


def test_int_and_float_are_equal_when_declared_so(programs):
    """A2: with numeric_types loose, 1000 and 1000.0 are one value."""
    candidate = programs.training()
    candidate.body[0].attributes["n"] = 1000.0

    comparison = check(programs, programs.training(), candidate, rules=Rules(numeric_types="loose"))

    assert comparison.findings == ()


def test_a_new_attribute_is_one_finding(programs):
    """A3: a new attribute on thirty spans is one addition."""
    candidate = changed(
        programs, lambda work, *_: work.attributes.update(fused=True) if work.name == "optimizer" else None
    )

    comparison = check(programs, programs.training(), candidate)

    assert [(one.code, one.key, one.count) for one in comparison.failures] == [("attr-added", "fused", 30)]


def test_a_failed_span_in_an_equal_tree_is_a_status(programs):
    """A5: one span that ends in error, with its exception, is one finding."""

    def fail(work, body, place, parent):
        if work.name == "forward" and parent.attributes["step"] == 4:
            work.status = StatusCode.ERROR
            work.events.append(
                ("exception", {attr.EXCEPTION_TYPE: "ValueError", attr.EXCEPTION_MESSAGE: "bad"})
            )

    comparison = check(programs, programs.training(), changed(programs, fail))

    assert codes(comparison) == [("status", f"{STEP}/forward", 1)]
    assert "ValueError" in comparison.failures[0].detail


def test_another_kind_and_another_scope_are_named(programs):
    """Kind and scope are compared exactly."""
    candidate = changed(
        programs, lambda work, *_: setattr(work, "kind", SpanKind.CLIENT) if work.name == "eval" else None
    )
    comparison = check(programs, programs.training(), candidate)
    assert codes(comparison) == [("kind", "run/epoch/eval", 3)]

    comparison = check(programs, programs.training(), programs.training(), changed={"scope": "other"})
    assert {one.code for one in comparison.failures} == {"scope"}


def test_events_are_compared_by_name_and_order(programs):
    """A lost event is a finding of its span."""
    golden = changed(
        programs, lambda work, *_: work.events.extend(["begin", "end"]) if work.name == "eval" else None
    )
    candidate = changed(
        programs, lambda work, *_: work.events.append("begin") if work.name == "eval" else None
    )

    comparison = check(programs, golden, candidate)

    assert codes(comparison) == [("event", "run/epoch/eval", 3)]
    assert comparison.failures[0].detail == "end gone"


# --- N: numbers --------------------------------------------------------------------------------------------------


def test_a_loss_that_becomes_nan_is_found_at_its_step(programs):
    """N1: NaN from step 17 on is found there, whatever the tolerance."""
    candidate = programs.training(loss=lambda step: math.nan if step >= 17 else 2.1 * 0.97**step)

    comparison = check(programs, programs.training(), candidate)

    finding = comparison.failures[0]
    assert (finding.code, finding.path, finding.key, finding.evidence["index"]) == (
        "nonfinite",
        STEP,
        "loss",
        17.0,
    )


def test_a_loss_that_leaves_its_tolerance_is_found_at_its_step(programs):
    """N2: a loss that is 2 % off from step 20 on diverges at 20."""
    candidate = programs.training(loss=lambda step: 2.1 * 0.97**step * (1.02 if step >= 20 else 1.0))

    comparison = check(programs, programs.training(), candidate)

    assert codes(comparison) == [("curve-diverged", STEP, 10)]
    assert comparison.failures[0].evidence["index"] == 20.0


def noisy_loss(seed, *, worse_from=None):
    """Return a loss that varies with the seed."""
    rng = random.Random(seed)
    level = 1.0 + rng.gauss(0.0, 0.01)

    def loss(step):
        value = 2.1 * 0.97**step * level * (1.0 + rng.gauss(0.0, 0.01))
        return value * 1.2 if worse_from is not None and step >= worse_from else value

    return loss


def seeded(programs, runs):
    """Return a golden of runs with different seeds."""
    return make_golden(
        [
            programs.run_program(programs.training(loss=noisy_loss(seed)), conditions(programs, seed))
            for seed in range(runs)
        ],
        policy="statistical",
    )


def test_another_seed_inside_the_band_passes(programs):
    """N4: with eight goldens of different seeds, a ninth seed is no change."""
    candidate = programs.run_program(programs.training(loss=noisy_loss(99)), conditions(programs, 99))

    comparison = compare(seeded(programs, 8), [candidate])

    assert (comparison.verdict, comparison.findings) == ("pass", ())


def test_a_loss_that_leaves_the_band_fails(programs):
    """N5: 20 % worse at the end is outside of the band of eight seeds."""
    candidate = programs.run_program(
        programs.training(loss=noisy_loss(99, worse_from=20)), conditions(programs, 99)
    )

    comparison = compare(seeded(programs, 8), [candidate])

    assert [one.code for one in comparison.failures] == ["curve-band"]


# --- T: time -----------------------------------------------------------------------------------------------------


def slower(programs, name, factor):
    """Return the base program with one stage slower."""
    return changed(
        programs,
        lambda work, *_: setattr(work, "own_ms", work.own_ms * factor) if work.name == name else None,
    )


@pytest.mark.parametrize(
    ("runs", "name", "factor", "path"),
    [
        pytest.param(5, "backward", 2.0, f"{STEP}/backward", id="T1"),
        pytest.param(1, "backward", 2.0, f"{STEP}/backward", id="T2"),
        pytest.param(5, "checkpoint.save", 1.4, "run/epoch/checkpoint.save", id="T3"),
    ],
)
def test_a_slower_stage_is_named(programs, runs, name, factor, path):
    """T1 to T3: one stage that got slower is found, with its factor and the number of goldens."""
    comparison = check(programs, programs.training(), slower(programs, name, factor), runs=runs)

    assert [(one.code, one.path) for one in comparison.failures] == [("slower", path)]
    finding = comparison.failures[0]
    assert finding.evidence["ratio"] == pytest.approx(factor, rel=0.1)
    assert f"{runs} golden" in finding.detail
    assert "p=" in finding.detail


def test_a_golden_that_holds_two_speeds_says_so(programs):
    """A stage that got slower half-way through twelve golden runs is advisory beside a comparison that passes."""
    calm, slow = programs.training(), slower(programs, "backward", 1.3)
    golden = make_golden(
        [programs.run_program(slow if seed > 5 else calm, conditions(programs, seed)) for seed in range(12)]
    )

    comparison = compare(golden, [programs.run_program(slow, conditions(programs, 77))])

    assert comparison.verdict == "pass"
    assert ("golden-stale", f"{STEP}/backward", 1) in codes(comparison, ("advisory",))


def test_times_that_are_off_are_not_in_the_score(programs):
    """With times off, a slow machine neither fails nor lowers the score; else it does the latter."""
    both = [
        check(
            programs,
            programs.training(),
            slower(programs, "backward", 3.0),
            runs=5,
            policy=Policy(timing=timing),
        )
        for timing in ("off", "advisory")
    ]

    assert [one.verdict for one in both] == ["pass", "pass"]
    assert both[0].score.overall() == pytest.approx(1.0)
    assert both[1].score.overall() < 0.95


def test_everything_faster_passes_and_is_noted(programs):
    """T5: a run that is twice as fast is told so and passes."""
    program = programs.training()

    comparison = check(programs, program, program, runs=5, changed={"speed": 0.5})

    assert comparison.verdict == "pass"
    assert {one.code for one in comparison.findings} == {"faster"}


# --- X: the rest -------------------------------------------------------------------------------------------------


def test_an_empty_trace_never_passes(programs):
    """X3: an empty candidate is an error 4, an empty golden an error 3, both together an error."""
    golden = golden_of(programs, programs.training())

    comparison = compare(golden, [CapturedRun([])])

    assert (comparison.verdict, comparison.exit_code) == ("error", 4)
    empty = Golden(
        [dataclasses.replace(golden.variants[0], form=dataclasses.replace(golden.variants[0].form))]
    )
    empty.variants[0].form.top = type(golden.variants[0].form.top)(golden.variants[0].form.top.type)
    for candidate in (CapturedRun([]), programs.run_program(programs.training())):
        with pytest.raises(GoldenInvalidError) as raised:
            compare(empty, [candidate])
        assert raised.value.exit_code == 3


def test_dropped_spans_are_an_error_with_counts(programs):
    """X4: a trace whose exporter dropped spans is not compared."""
    counts = {attr.ML_RUN_SPANS_STARTED: 165, attr.ML_RUN_SPANS_ENDED: 165, attr.ML_RUN_SPANS_DROPPED: 2}
    golden = golden_of(programs, programs.training())
    run = programs.run_program(programs.training(root_attributes=counts))

    comparison = compare(golden, [CapturedRun([span for span in run.spans if span.name != "eval"])])

    assert (comparison.verdict, comparison.exit_code) == ("error", 4)
    assert [(one.code, one.count) for one in comparison.findings] == [("incomplete-trace", 3)]


def test_a_missing_root_is_one_finding(programs):
    """A trace without its root says so once, with the number of orphans, and compares nothing."""
    golden = golden_of(programs, programs.training())
    run = programs.run_program(programs.training())

    comparison = compare(golden, [CapturedRun([span for span in run.spans if span.name != "run"])])

    assert (comparison.verdict, [one.code for one in comparison.findings]) == ("error", ["root-missing"])
    assert "4 orphans" in comparison.findings[0].detail


def distributed(programs, ranks, missing=None):
    """Return a job of some ranks, one of which may lack reductions."""

    def program(rank):
        steps = []
        for step in range(5):
            reduces = [programs.Work("all_reduce", own_ms=2.0) for _ in range(2)]
            if rank == missing and step in {1, 3}:
                reduces.pop()
            steps.append(programs.Work("step", {"step": step}, [programs.Work("forward"), *reduces]))
        return [programs.Work("fit", {}, steps)]

    return programs.Work("run", {}, [programs.Ranks([program(rank) for rank in range(ranks)])])


def test_a_rank_that_differs_is_named(programs):
    """X5: rank 3 lacks two reductions."""
    comparison = check(programs, distributed(programs, 4), distributed(programs, 4, missing=3))

    assert [(one.code, one.path, one.count) for one in comparison.failures] == [
        ("rank-differs", "run/fit/step/all_reduce", 2)
    ]
    assert comparison.failures[0].detail.startswith("rank 3")


def test_other_ranks_are_one_count(programs):
    """X6: eight ranks instead of four are one finding."""
    comparison = check(programs, distributed(programs, 4), distributed(programs, 8))

    assert [(one.code, one.path, one.golden, one.candidate) for one in comparison.failures] == [
        ("count", "run", "4 ranks", "8 ranks")
    ]


def workers(programs, ranks, reductions):
    """Return a job whose ranks are told by an attribute, as programs without our lanes have them."""
    return programs.Work(
        "run",
        {},
        [
            programs.Work(
                "worker",
                {"rank": rank},
                [programs.Work("all_reduce", {"op": f"sum{rank}"}) for _ in range(reductions(rank))],
            )
            for rank in range(ranks)
        ],
    )


@pytest.mark.parametrize("ranks", [2, 8])
def test_other_ranks_of_a_foreign_trace_are_one_count(programs, ranks):
    """X6: without lanes too, more or fewer ranks are a count of all of them, not ranks that differ."""
    comparison = check(programs, workers(programs, 4, lambda _: 2), workers(programs, ranks, lambda _: 2))
    shown = {2: "rank 2-3", 8: "rank 4-7"}[ranks]

    assert [(one.code, one.path, one.golden, one.candidate) for one in comparison.failures] == [
        ("count", "run/worker", "4", str(ranks))
    ]
    assert comparison.failures[0].detail.startswith(shown)


def test_a_span_that_all_ranks_lack_is_no_rank_that_differs(programs):
    """All ranks are counted, however many, where each of them lacks the same span."""
    comparison = check(
        programs,
        workers(programs, 8, lambda rank: 2 + rank % 3),
        workers(programs, 8, lambda rank: 1 + rank % 3),
    )

    assert [(one.code, one.path, one.count) for one in comparison.failures] == [
        ("count", "run/worker/all_reduce", 8)
    ]


@pytest.mark.parametrize("lanes", ["lanes", "threads", "none"])
def test_interleaved_tasks_are_equal(programs, lanes):
    """X7: asyncio tasks that take turns on one thread have no order, with our lanes and without."""
    tasks = [[programs.Work("fetch", {"url": f"u{at}"}, own_ms=5.0)] for at in range(6)]
    program = programs.Work("run", {}, [programs.Par(tasks, "tasks"), programs.Work("join")])
    golden = make_golden([programs.run_program(program, conditions(programs, 1, lanes=lanes))])

    verdicts = [
        compare(golden, [programs.run_program(program, conditions(programs, seed, lanes=lanes))]).verdict
        for seed in range(2, 8)
    ]

    assert verdicts == ["pass"] * 6


def linked(programs, count):
    """Return the base program, its last checkpoint linked to epochs."""
    program = programs.training()
    program.body[-1].body[-1].links = program.body[1:count]
    return program


def test_links_are_compared_as_a_set(programs):
    """X8: links in another order are equal; one link less is a finding."""
    golden = golden_of(programs, linked(programs, 3))
    same = programs.run_program(linked(programs, 3), conditions(programs, 5))
    less = programs.run_program(linked(programs, 2), conditions(programs, 5))

    assert compare(golden, [same]).findings == ()
    assert codes(compare(golden, [less])) == [("link", "run/epoch/checkpoint.save", 1)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://opentelemetry.io/schemas/1.26.0", []),
        ("https://opentelemetry.io/schemas/1.20.0", ["attr-renamed"]),
    ],
    ids=["bumped", "same"],
)
def test_a_renamed_convention_needs_a_newer_schema(programs, url, expected):
    """X10: http.method may become http.request.method when the schema URL says so."""
    golden = programs.Work("run", {}, [programs.Work("get", {"http.method": "GET"}) for _ in range(3)])
    candidate = programs.Work(
        "run", {}, [programs.Work("get", {"http.request.method": "GET"}) for _ in range(3)]
    )
    old = make_golden(
        [
            programs.run_program(
                golden, conditions(programs, 1, schema_url="https://opentelemetry.io/schemas/1.20.0")
            )
        ]
    )

    comparison = compare(old, [programs.run_program(candidate, conditions(programs, 2, schema_url=url))])

    assert [one.code for one in comparison.failures] == expected


def test_a_newer_schema_renames_nothing_that_the_program_did_not(programs):
    """X10: a library that names a newer schema URL and still writes the old keys has not changed them."""
    work = programs.Work("run", {}, [programs.Work("get", {"http.method": "GET"}) for _ in range(3)])
    older, newer = (f"https://opentelemetry.io/schemas/1.{minor}.0" for minor in (20, 26))
    old = make_golden([programs.run_program(work, conditions(programs, 1, schema_url=older))])

    comparison = compare(old, [programs.run_program(work, conditions(programs, 2, schema_url=newer))])

    assert codes(comparison) == []


def test_a_subtree_that_moved_between_epochs_is_one_move(programs):
    """X13: six spans that moved together are one finding."""

    def with_probe(epoch):
        program = programs.training()
        inner = [programs.Work(f"probe.{name}") for name in "abcde"]
        program.body[1 + epoch].body.append(programs.Work("probe", {}, inner))
        return program

    comparison = check(programs, with_probe(0), with_probe(2))

    assert codes(comparison) == [("moved", "run/epoch/probe", 1)]


def test_a_metric_logged_half_as_often_is_a_length(programs):
    """X15: the values at common steps are compared, and the missing ones are one finding."""

    def sparse(work, *_):
        if work.name == "train.step" and work.attributes["step"] % 2:
            del work.attributes["loss"]

    comparison = check(programs, programs.training(), changed(programs, sparse))

    assert codes(comparison) == [("curve-length", STEP, 15)]


def test_a_slow_machine_passes_and_is_noted(programs):
    """X16: everything 1.8 times slower is the machine."""
    program = programs.training()

    comparison = check(programs, program, program, runs=5, changed={"speed": 1.8})

    assert comparison.verdict == "pass"
    uniform = [one for one in comparison.findings if one.code == "uniform-slowdown"]
    assert uniform[0].evidence["ratio"] == pytest.approx(1.8, rel=0.05)


def test_waiting_is_not_slower(programs):
    """X17: wall time three times up while CPU time stays is waiting, and passes."""
    golden = programs.training()
    candidate = changed(
        programs,
        lambda work, *_: (
            (setattr(work, "own_ms", work.own_ms * 3), setattr(work, "cpu_share", 1 / 3))
            if work.name == "backward"
            else None
        ),
    )

    comparison = check(programs, golden, candidate, runs=5)

    assert comparison.verdict == "pass"
    assert codes(comparison, ("advisory",)) == [("waiting", f"{STEP}/backward", 30)]


def test_one_noisy_golden_decides_nothing_about_time(programs):
    """X18: with one golden on a host whose runs vary by 10 %, 1.2 times slower passes; the runs needed are told."""
    noisy = TimingSettings(prior_std=0.1, cpu_prior_std=0.1)

    comparison = check(
        programs, programs.training(), slower(programs, "eval", 1.2), policy=Policy(timing_settings=noisy)
    )

    assert comparison.verdict == "pass"
    told = {one.path: one.detail for one in comparison.findings if one.code == "inconclusive"}
    assert "golden and" in told["run/epoch/eval"]
    undecided = check(
        programs,
        programs.training(),
        slower(programs, "eval", 1.2),
        policy=Policy(timing_settings=noisy, require_decision=True),
    )
    assert (undecided.verdict, undecided.exit_code) == ("inconclusive", 6)


def test_ignored_kernels_are_counted(programs):
    """X27: renamed kernels under a rule pass, and the report says how many findings were ignored."""

    def with_kernels(names):
        program = programs.training()
        for work, *_ in list(programs.walk([program])):
            if work.name == "forward":
                work.body = [programs.Work(name, own_ms=0.1) for name in names]
        return program

    rule = IgnoreRule("kernel.*", reason="the compiler names them")
    comparison = check(
        programs,
        with_kernels(["kernel.mm", "kernel.add"]),
        with_kernels(["kernel.fused_mm_add"]),
        ignore=[rule],
        policy=Policy(timing="off"),
    )

    assert comparison.verdict == "pass"
    assert comparison.ignored_count == len(comparison.findings) > 0


def test_an_unused_rule_is_reported(programs):
    """X23: a rule that accepts nothing is told so, and does not fail the check."""
    program = programs.training()

    comparison = check(programs, program, program, ignore=[IgnoreRule("kernel.*", reason="old")])

    assert comparison.verdict == "pass"
    assert [(one.code, one.severity) for one in comparison.findings] == [("rule-unused", "advisory")]


def test_a_serialised_stage_is_advisory_when_only_statistics_are_asked(programs):
    """Policy statistical: concurrency is reported and does not fail."""
    comparison = check(
        programs, programs.training(), programs.training(serial=True), policy=Policy("statistical")
    )

    assert comparison.verdict == "pass"
    assert codes(comparison, ("advisory",)) == [("serialised", "run/data.load", 1)]
