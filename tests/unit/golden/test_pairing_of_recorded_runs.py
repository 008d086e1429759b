"""What the generator of recorded programs found: equal runs that failed, and findings that named the wrong thing."""

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.policy import Policy
from otel_experiments.model.span import Event, Span, StatusCode

POLICY = Policy(timing="off")
MS = 1_000_000


def trace(*rows):
    """Return a run of rows (id, parent, name, lane, attributes, rest), one after the other."""
    spans = [
        Span(
            "1" * 32,
            f"{1:016x}",
            "run",
            0,
            10**12,
            attributes={"ml.span.lane": "main", "ml.span.sequence": 0},
        )
    ]
    for number, (own, parent, name, lane, attributes, *rest) in enumerate(rows, 1):
        spans.append(
            Span(
                trace_id="1" * 32,
                span_id=f"{own:016x}",
                name=name,
                start_ns=number * MS,
                end_ns=number * MS + MS // 2 if name != "step" else 10**11,
                parent_span_id=f"{parent:016x}",
                attributes={"ml.span.lane": lane, "ml.span.sequence": number, **attributes},
                **(rest[0] if rest else {}),
            )
        )
    return CapturedRun(spans)


def found(golden, candidate):
    """Return (code, path) of what fails, with the golden read back from its file."""
    comparison = compare(read_golden(write_golden(make_golden([golden]))), [candidate], policy=POLICY)
    return [(one.code, one.path) for one in comparison.failures]


def test_one_id_in_the_texts_of_two_errors_is_equal():
    """A request that fails in two places has one id in both messages, in every run another one."""

    def failing(request):
        event = Event("exception", 1, {"exception.message": f"request {request} failed"})
        broken = {"status": StatusCode.ERROR, "events": (event,)}
        return trace((2, 1, "read", "main", {}, broken), (3, 1, "write", "main", {}, broken))

    first, second = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

    assert found(failing(first), failing(second)) == []


def shards(*, order, noise, attribute=1):
    """Return a run in which four lanes each load a shard and report; floats differ by `noise`."""
    rows = []
    for at, shard in enumerate(order):
        lane = f"thread-{at}"
        rows += [
            (
                10 + 2 * at,
                1,
                "load",
                lane,
                {"shard": shard, "rate": 0.1 * (1 + noise * (at + 1)), "n": attribute},
            ),
            (11 + 2 * at, 1, "report", lane, {}),
        ]
    return trace(*rows)


def test_noise_in_floats_does_not_cross_workers():
    """One worker less is one worker less, though no float of the others is the same to the last bit."""

    def workers(rates, noise):
        rows = []
        for at, rate in enumerate(rates):
            rows += [
                (10 + 2 * at, 1, "load", f"thread-{at}", {"rate": rate * (1 + noise)}),
                (11 + 2 * at, 1, "report", f"thread-{at}", {}),
            ]
        return trace(*rows)

    golden, candidate = workers((0.1, 0.2, 0.3, 0.4), 1e-13), workers((0.4, 0.3, 0.2), 3e-13)

    assert found(golden, candidate) == [("count", "run/load"), ("count", "run/report")]


def test_a_changed_attribute_does_not_cross_the_shards():
    """Where every shard has changed too, its number still tells which is which."""
    golden, candidate = shards(order=(1, 2, 3), noise=0), shards(order=(0, 1, 2, 3), noise=0, attribute=2)

    assert found(golden, candidate) == [("count", "run/load"), ("count", "run/report"), ("attr", "run/load")]


def test_chance_inside_of_the_shards_does_not_cross_them():
    """One shard's own pool needed two workers and the other's one; in the next run it is the other way round."""

    def nested(*wide):
        rows = []
        for shard, is_wide in enumerate(wide):
            own, lane = 10 * (shard + 1), f"thread-{shard}"
            rows += [
                (own, 1, "load", lane, {"shard": shard}),
                (own + 1, own, "read", f"pool-{shard}-0", {}),
                (own + 2, own, "decode", f"pool-{shard}-{int(is_wide)}", {}),
                (own + 3, 1, "report", lane, {}),
            ]
        return trace(*rows)

    assert found(nested(True, False), nested(False, True)) == []


def dealt(own, parent, name, lane, *, is_wide, **attributes):
    """Return a span whose two parts went to one worker of its pool or to two."""
    return [
        (own, parent, name, lane, attributes),
        (own + 1, own, "part", f"pool-{own}-0", {}),
        (own + 2, own, "check", f"pool-{own}-{int(is_wide)}", {}),
    ]


def test_pools_in_a_loop_count_their_shards_anew():
    """Shard 0 of the first pool is not shard 0 of the second, whatever is inside of them by chance."""

    def pools_of_shards(*wide):
        rows = []
        for number, is_wide in enumerate(wide):
            rows.append((100 * (number + 1), 1, "prepare", "main", {}))
            for shard in range(2):
                own = 100 * (number + 1) + 10 * (shard + 1)
                rows += dealt(own, 1, "load", f"w{number}-{shard}", is_wide=is_wide, shard=shard)
        return trace(*rows)

    assert found(pools_of_shards(True, True, False), pools_of_shards(False, True, True)) == []


def test_repetitions_inside_a_lane_are_paired_in_order():
    """A task that loops does its turns in order, whatever is inside of them by chance."""

    def task(*wide):
        rows = [(900, 1, "other", "thread-9", {})]
        for number, is_wide in enumerate(wide):
            own = 100 * (number + 1)
            rows.append((own, 1, "prepare", "thread-0", {}))
            rows += dealt(own + 10, 1, "epoch", "thread-0", is_wide=is_wide, epoch=0)
        return trace(*rows, (901, 1, "end", "thread-0", {}))

    assert found(task(True, True, False), task(False, True, True)) == []


def test_work_that_went_to_an_earlier_pool_is_reordered():
    """Between the two pools the caller does something: what crossed that is no longer done after it."""

    def two_pools(first, second):
        rows = []
        for at, name in enumerate(first):
            rows.append((10 + at, 1, name, f"one-{at}", {}))
        rows.append((30, 1, "join", "main", {}))
        for at, name in enumerate(second):
            rows.append((40 + at, 1, name, f"two-{at}", {}))
        return trace(*rows)

    golden = two_pools(("a", "b"), ("save", "c", "d"))

    assert found(golden, two_pools(("a", "b", "save"), ("c", "d"))) == [("reordered", "run")]
    assert found(golden, two_pools(("b", "a"), ("d", "save", "c"))) == []


@pytest.mark.parametrize("others", [("read",), ("read", "decode")])
def test_tries_in_a_lane_are_paired_by_how_they_ended(others):
    """A task that fails, then succeeds, does so in every run, however the pool inside of each try was dealt."""

    def task(*wide):
        rows = [(900 + at, 1, name, "thread-0", {}) for at, name in enumerate(others)]
        for at, is_wide in enumerate(wide):
            own, rest = 10 * (at + 1), {} if at == len(wide) - 1 else {"status": StatusCode.ERROR}
            rows += [
                (own, 1, "upload", "thread-1", {}, rest),
                (own + 1, own, "part", f"pool-{at}-0", {}),
                (own + 2, own, "check", f"pool-{at}-{int(is_wide)}", {}),
            ]
        return trace(*rows)

    assert found(task(False, True), task(True, False)) == []


def pools(*dealt):
    """Return a run of pools, one after the other; each deals `read, decode` and `index` to lanes as told."""
    rows = []
    for number, lanes in enumerate(dealt):
        own = 100 * (number + 1)
        rows.append((own, 1, "prepare", "main", {}))
        for at, (name, lane) in enumerate(zip(("read", "decode", "index"), lanes, strict=True), 1):
            rows.append((own + at, 1, name, f"pool-{number}-{lane}", {}))
    return trace(*rows)


def test_a_pool_that_deals_its_tasks_otherwise_moves_nothing():
    """One worker took all tasks of one pool in this run, and of another pool in the next."""
    assert found(pools("aab", "aab", "aaa"), pools("aaa", "aab", "aab")) == []


def test_repeated_indices_in_program_order_are_paired_in_order():
    """A loop that is entered three times counts from 0 each time; its inside may look different by chance."""

    def loops(*wide):
        rows = []
        for number, is_wide in enumerate(wide):
            own = 100 * (number + 1)
            rows += [
                (own, 1, "epoch", "main", {"epoch": 0}),
                (own + 1, own, "a", f"w{number}-0", {}),
                (own + 2, own, "b", f"w{number}-{int(is_wide)}", {}),
                (own + 3, 1, "save", "main", {}),
            ]
        return trace(*rows)

    assert found(loops(True, True, False), loops(False, True, True)) == []


def test_a_wrapper_in_a_lane_is_not_serial():
    """What is wrapped in its own lane still runs beside the other lanes."""

    def tasks(wrapper):
        rows = []
        for at in range(3):
            own = 10 * (at + 1)
            if wrapper:
                rows.append((own, 1, wrapper, f"thread-{at}", {"shard": at}))
            rows.append((own + 1, own if wrapper else 1, "load", f"thread-{at}", {"n": at}))
        return trace(*rows)

    assert found(tasks(""), tasks("traced")) == [("wrapped", "run/traced")]


@pytest.mark.parametrize(("is_bad", "expected"), [(True, [("status", "run/fit")]), (False, [])])
def test_the_type_of_an_error_is_part_of_its_status(is_bad, expected):
    """One failure is one line."""
    bad = {"status": StatusCode.ERROR}
    candidate = trace(
        (2, 1, "fit", "main", {"error.type": "ValueError"}, bad) if is_bad else (2, 1, "fit", "main", {})
    )

    assert found(trace((2, 1, "fit", "main", {})), candidate) == expected


def test_an_attribute_that_repeats_the_name_is_part_of_the_renaming():
    """The recorder writes a stage's name twice; renaming it is one change."""

    def stage(name):
        return trace(
            (2, 1, "load", "main", {}),
            (3, 1, f"stage {name}", "main", {"ml.stage.name": name}),
            (4, 1, "save", "main", {}),
        )

    assert found(stage("fit"), stage("train")) == [("renamed", "run/stage fit")]


def test_a_renamed_key_with_noise_in_its_value_is_a_renamed_key():
    """Renaming an attribute is one finding though its float is not the same to the last bit."""
    golden = trace((2, 1, "fit", "main", {"rate": 0.1}))
    candidate = trace((2, 1, "fit", "main", {"speed": 0.1 * (1 + 1e-13)}))

    assert found(golden, candidate) == [("attr-renamed", "run/fit")]


def test_lanes_that_only_differ_in_their_metrics_are_told_apart_by_them():
    """Workers without a number that log different losses are the same workers in the next run."""

    def workers(*losses):
        return trace(
            *((10 + at, 1, "worker", f"thread-{at}", {"loss": loss}) for at, loss in enumerate(losses))
        )

    assert found(workers(0.5, 1.5, 2.5), workers(2.5, 0.5, 1.5)) == []


def test_one_attribute_of_one_span_among_many_is_exactly_that_span():
    """X2: one value among 20,000 spans is one finding at its step."""

    def loop(changed):
        rows = []
        for step in range(4_000):
            own = 10 * (step + 1)
            rows.append((own, 1, "step", "main", {"step": step}))
            rows += [
                (own + at, own, name, "main", {})
                for at, name in enumerate(("load", "forward", "backward"), 1)
            ]
            rows.append((own + 4, own, "optimizer", "main", {"lr": 0.2 if step == changed else 0.1}))
        return trace(*rows)

    golden = read_golden(write_golden(make_golden([loop(-1)])))
    (finding,) = compare(golden, [loop(2_345)], policy=POLICY).failures

    assert (finding.code, finding.path, finding.count) == ("attr", "run/step/optimizer", 1)
    assert finding.examples[0].index == (("step", 2_345),)


def ticks(numbers, *, text):
    """Return a run with a loop whose passes have these numbers and differ in their own ways."""
    place = "ml.step.index"
    return trace(
        *(
            (10 + at, 1, "tick", "main", {place: at, "text": f"{text}{at}", "turn": turn})
            for turn, at in enumerate(numbers)
        )
    )


@pytest.mark.parametrize(
    ("golden", "candidate", "expected"),
    [
        (range(5), range(1, 5), [("count", 0), ("attr", 1), ("attr", 1)]),
        (range(1, 5), range(5), [("count", 0), ("attr", 1), ("attr", 1)]),
        (range(6), range(1, 8), [("count", 7), ("attr", 1)]),
        (range(2, 8), range(3, 10), [("count", 9), ("attr", 3)]),
    ],
    ids=["first pass gone", "first pass new", "numbers run ahead", "numbers far from 0 run ahead"],
)
def test_a_loop_that_counts_from_another_number_is_the_same_loop(golden, candidate, expected):
    """Passes are joined by number, and by number and a shift only where that joins more of them."""
    comparison = compare(make_golden([ticks(golden, text="a")]), [ticks(candidate, text="b")], policy=POLICY)

    found = [(one.code, dict(one.examples[0].index)["ml.step.index"]) for one in comparison.failures]
    assert found == expected
