"""Golden files: what they look like, that they read back, and that damaged ones are refused."""

import math
from dataclasses import replace
from datetime import date

import pytest

from otel_experiments.errors import GoldenInvalidError, GoldenRuleError, NonFiniteGoldenError
from otel_experiments.golden.baseline import Golden, Variant, make_golden
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, update_golden, write_golden, write_stats
from otel_experiments.golden.file.read import read_stats
from otel_experiments.golden.file.write import text_digest
from otel_experiments.golden.policy import IgnoreRule
from otel_experiments.golden.timing.model import TimingRun
from otel_experiments.golden.timing.stage import summarise_stage
from otel_experiments.model.span import Span, StatusCode

EXPECTED = """\
otg 1
policy structural
order lanes
rules defaults@1
runs 1

run {model="mlp"} scope="train"
  data.load {dataset="toy" n=1000}
    par x4
      load.shard [shard=0..3]
  epoch x2 [epoch=0,1]
    train.step x3 [step=+1]
      ~loss
      batch.get
      forward
      backward
      optimizer {lr=0.001 optimizer="adam"}
    eval
      ~acc
    checkpoint.save {path=f"<tmp>/ck<epoch>.pt"}

curve ~loss n=6 runs=1
  0 2.0 | 1.0 | 0.5 | 0.25 | 0.125 | 0.0625

curve ~acc n=2 runs=1
  0 0.5 | 0.6

"""


def small(programs, **options):
    """Return a small training program with a loss that prints well."""
    return programs.training(epochs=2, steps=3, loss=lambda step: 2.0 * 0.5**step, **options)


def golden_of(programs, program, runs=1, **options):
    """Return the golden of some runs."""
    return make_golden(
        [programs.run_program(program, programs.Conditions(seed=seed)) for seed in range(runs)], **options
    )


def sealed(body):
    """Return a file's text with the last line that its lines ask for."""
    return f"{body}end 1 spans 1 templates full={text_digest(body)}\n"


def test_a_golden_file_reads_like_the_program(programs):
    """The file has one line a stage, loops and parallel work folded, and the curves below."""
    text = write_golden(golden_of(programs, small(programs)))

    assert text == EXPECTED + f"end 42 spans 11 templates full={text_digest(EXPECTED)}\n"


def test_the_same_runs_make_the_same_bytes(programs):
    """X25: runs of one program under other conditions make byte-identical files."""
    texts = {
        write_golden(
            make_golden(
                [programs.run_program(programs.training(), programs.Conditions(seed=seed, shuffle=seed > 2))]
            )
        )
        for seed in range(6)
    }

    assert len(texts) == 1


@pytest.mark.parametrize("runs", [1, 3])
def test_a_file_read_and_written_again_is_the_same(programs, runs):
    """Reading loses nothing that writing shows."""
    program = small(programs)
    program.body[1].body[0].status = StatusCode.ERROR
    program.body[1].body[0].events = [
        ("exception", {"exception.type": "ValueError", "note": 'a "b" \\ c'}),
        "odd name",
    ]
    program.body[2].links = [program.body[1]]
    program.body[0].attributes.update(
        {
            "odd key": 1,
            "list": [1, 2.5, "x"],
            "none": None,
            "yes": True,
            "bytes": b"\x00\xff",
            "map": {"a": 1},
            "inf": math.inf,
        }
    )
    text = write_golden(golden_of(programs, program, runs))
    stats = write_stats(golden_of(programs, program, runs))

    again = read_golden(text, stats=stats)

    assert (write_golden(again), write_stats(again)) == (text, stats)


def test_times_read_back_with_host_load_and_quartiles(programs):
    """A stage whose spans vary much keeps its quartiles, others do without; company is kept as a share a run."""
    golden = golden_of(programs, small(programs), runs=2)
    wide = summarise_stage([5e6, 60e6] * 8, [4e6, 50e6] * 8)
    steady = summarise_stage([5e6, 5.1e6] * 8)
    golden.timing = [
        TimingRun({"run/wide": wide, "run/steady": steady}, 1e9, share) for share in (0.123, None)
    ]
    text = write_stats(golden)

    again, _ = read_stats(text)

    assert [run.host_load for run in again] == [0.123, None]
    for run in again:
        assert run.stages["run/wide"].upper.wall_ns == wide.upper.wall_ns
        assert run.stages["run/wide"].lower.cpu_ns == wide.lower.cpu_ns
        assert run.stages["run/wide"].upper.wall_error == pytest.approx(wide.upper.wall_error, abs=1e-5)
        assert run.stages["run/steady"].upper is None


def test_host_load_is_read_under_its_older_name(programs):
    """Times that were written when host load was called neighbours count it as before."""
    golden = golden_of(programs, small(programs), runs=2)
    golden.timing = [TimingRun({}, 1e9, share) for share in (0.123, None)]
    text = write_stats(golden).replace('"host_load"', '"neighbours"')

    again, _ = read_stats(text)

    assert [run.host_load for run in again] == [0.123, None]


def test_a_golden_from_a_file_compares_like_the_one_from_runs(programs):
    """A candidate equal to the runs is equal to the file; a changed one fails with the same findings."""
    golden = golden_of(programs, small(programs), runs=3)
    again = read_golden(write_golden(golden), stats=write_stats(golden))
    same = programs.run_program(small(programs), programs.Conditions(seed=7))
    changed = programs.run_program(small(programs, lr=0.1), programs.Conditions(seed=7))

    assert compare(again, [same]).findings == ()
    assert [one.to_json() for one in compare(again, [changed]).findings] == [
        one.to_json() for one in compare(golden, [changed]).findings
    ]


def test_header_lines_are_kept(programs):
    """Policy, rules, environment and ignore lines come back as they were."""
    golden = golden_of(
        programs,
        small(programs),
        policy="strict",
        rules=Rules(volatile=("temp.*",), index=("sweep",), numeric_types="loose"),
        ignore=[
            IgnoreRule("kernel.*", "renamed", reason="the compiler", until=date(2027, 1, 31)),
            IgnoreRule("a/b", reason="x"),
        ],
    )
    golden.environment = {"python": "3.11", "torch": "2.8 nightly"}

    again = read_golden(write_golden(golden))

    assert (again.policy, again.rules, again.environment) == (golden.policy, golden.rules, golden.environment)
    assert sorted(map(str, again.ignore)) == sorted(map(str, golden.ignore))
    assert [rule.reason for rule in again.ignore] == ["x", "the compiler"]


def test_a_renamed_stage_changes_two_lines(programs):
    """A renamed span changes its own line and the last one, wherever it is used."""
    old = read_golden(write_golden(golden_of(programs, programs.training(), runs=3)))
    program = programs.training()
    for work, *_ in list(programs.walk([program])):
        if work.name == "train.step":
            work.name = "step"

    before = write_golden(old).splitlines()
    after = write_golden(update_golden(old, golden_of(programs, program, runs=3))).splitlines()

    assert len(before) == len(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 2


def test_numbers_inside_their_tolerance_keep_the_old_text(programs):
    """X26: a run that differs in times and in the last bits of its loss leaves the file as it was."""
    old = golden_of(programs, programs.training())
    program = programs.training(loss=lambda step: 2.1 * 0.97**step * (1 + 2e-5))
    new = make_golden([programs.run_program(program, programs.Conditions(seed=9, speed=1.02))])

    updated = update_golden(read_golden(write_golden(old), stats=write_stats(old)), new)

    assert write_golden(updated) == write_golden(old)
    assert write_stats(updated) == write_stats(old)
    assert write_stats(update_golden(old, new, with_timing=True)) != write_stats(old)


def test_updating_twice_writes_the_same_bytes(programs):
    """An update with the same runs changes nothing more."""
    old = read_golden(write_golden(golden_of(programs, programs.training())))
    new = programs.training(lr=0.01)

    once = write_golden(update_golden(old, golden_of(programs, new, runs=2)))
    twice = write_golden(update_golden(read_golden(once), golden_of(programs, new, runs=2)))

    assert twice == once


def test_a_large_regular_trace_is_a_small_file(programs):
    """A training of 25,000 spans is some twenty lines without its curves."""
    text = write_golden(golden_of(programs, programs.training(epochs=10, steps=500)))
    tree = text[: text.index("\ncurve")]

    assert len(tree.splitlines()) < 25
    assert len(tree) < 1_000


def test_a_long_curve_is_thinned_and_still_compared(programs):
    """A curve of 3,000 points keeps every second one; the others are not asked for, the kept ones are."""
    program = programs.training(epochs=1, steps=3_000, loss=lambda step: 1.0 + 1.0 / (step + 1))
    golden = read_golden(write_golden(golden_of(programs, program)))
    same = programs.run_program(program, programs.Conditions(seed=3))
    other = programs.training(
        epochs=1, steps=3_000, loss=lambda step: 1.0 + 1.0 / (step + 1) + (0.5 if step == 2_000 else 0.0)
    )

    assert "n=3000 runs=1 every=2" in write_golden(golden)
    assert compare(golden, [same]).findings == ()
    found = compare(golden, [programs.run_program(other, programs.Conditions(seed=3))])
    assert [(one.code, one.evidence["index"]) for one in found.failures] == [("curve-diverged", 2_000.0)]


def test_metric_series_are_kept(programs):
    """What run.log recorded is kept by name and phase, thinned when it is long, and compared by step."""
    values = [1.0 / (at + 1) for at in range(5_000)]
    series = [programs.series("val/loss", values, "val"), programs.series("acc", [0.5])]
    golden = make_golden([programs.run_program(small(programs), metrics=series)])

    again = read_golden(write_golden(golden))

    assert write_golden(again) == write_golden(golden)
    assert compare(again, [programs.run_program(small(programs), metrics=series)]).verdict == "pass"
    shorter = [programs.series("val/loss", values[:4_000], "val"), series[1]]
    found = compare(again, [programs.run_program(small(programs), metrics=shorter)])
    assert "curve-length" in {one.code for one in found.failures}


def test_several_accepted_behaviours_need_reasons(programs):
    """A second structure is a variant; without a reason the file is not written, with one both pass."""
    short, long = small(programs), programs.training(epochs=3, steps=3)
    golden = make_golden(
        [programs.run_program(short), programs.run_program(short), programs.run_program(long)]
    )
    with pytest.raises(GoldenRuleError, match="has no reason"):
        write_golden(golden)

    golden.variants[1] = Variant(
        golden.variants[1].form, "cuda", {"device": "cuda"}, "early stopping is off there"
    )
    again = read_golden(write_golden(golden))

    assert [(one.name, one.runs, one.reason) for one in again.variants] == [
        ("", 2, ""),
        ("cuda", 1, "early stopping is off there"),
    ]
    for program in (short, long):
        assert compare(again, [programs.run_program(program)]).failures == ()


def test_attributes_that_vary_between_goldens_are_accepted(programs):
    """A seed that repeats among the golden runs is written as alternatives and passes with each of them."""
    runs = [
        programs.run_program(small(programs, root_attributes={"seed": seed})) for seed in (1, 2, 3, 1, 2, 3)
    ]
    text = write_golden(make_golden(runs))

    assert "seed=1|2|3" in text
    assert compare(read_golden(text), [runs[1]]).failures == ()
    other = programs.run_program(small(programs, root_attributes={"seed": 9}))
    assert [one.code for one in compare(read_golden(text), [other]).failures] == ["attr"]


def test_a_golden_of_nan_is_refused_unless_allowed(programs):
    """NaN in a golden would accept every later NaN."""
    run = programs.run_program(programs.training(loss=lambda step: math.nan if step == 3 else 1.0))

    with pytest.raises(NonFiniteGoldenError):
        make_golden([run])

    assert "nan" in write_golden(make_golden([run], allow_nonfinite=True))


@pytest.mark.parametrize(
    ("change", "line", "found"),
    [
        pytest.param(lambda text: "", None, "it is empty", id="empty"),
        pytest.param(
            lambda text: text.replace("  eval\n", "  eval\n<<<<<<< ours\n"),
            19,
            "conflict markers",
            id="conflict",
        ),
        pytest.param(lambda text: text.replace("lr=0.001", "lr=0.002"), 28, "changed by hand", id="edited"),
        pytest.param(lambda text: text[: len(text) // 2], None, "it is cut", id="cut"),
        pytest.param(lambda text: text.replace("otg 1", "otg 2"), 1, "format 2", id="newer"),
        pytest.param(lambda text: text.replace("otg 1", "otg 0"), 1, "older format 0", id="older"),
        pytest.param(lambda text: "hello\n" + text, 1, "its first line is", id="foreign"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(programs, change, line, found):
    """X20, X21: what was merged, edited, cut or written by another version never passes."""
    text = write_golden(golden_of(programs, small(programs)))

    with pytest.raises(GoldenInvalidError, match=found) as raised:
        read_golden(change(text), path="tests/golden/a.otg")

    assert raised.value.exit_code == 3
    assert "tests/golden/a.otg" in str(raised.value)
    if line is not None:
        assert raised.value.line == line


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("run x0", "repetitions"),
        ("run {lr=}", "a value expected"),
        ("run [step=0..2]", "do not fit"),
        ("run status=odd", "a status is one of"),
        ("run kind=odd", "a span kind expected"),
        ("run {a=(1 x2)}", "do not fit"),
        ("   run", "indentation"),
        ("run extra", "expected, found"),
        ("@t9", "no template"),
        ('run {a="x}', "a quoted text expected"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line, column):
    """A wrong line is refused with its number and what was expected."""
    body = f"otg 1\n\n{line}\n"

    with pytest.raises(GoldenInvalidError, match=column) as raised:
        read_golden(sealed(body))

    assert raised.value.line == 3


def test_unknown_lines_of_a_newer_minor_version_are_kept():
    """A header line that a later release adds is kept and written again; in our own version it is refused."""
    tree = "\nrun\n\n"

    golden = read_golden(sealed(f"otg 1.9\nsparkle on\n{tree}"))

    assert golden.unknown_lines == ("sparkle on",)
    assert "sparkle on\n" in write_golden(golden)
    with pytest.raises(GoldenInvalidError, match="is not known"):
        read_golden(sealed(f"otg 1\nsparkle on\n{tree}"))


def test_a_template_inside_itself_is_refused():
    """Templates that name each other in a circle stand for nothing."""
    body = "otg 1\n\ntemplate t1\n  a\n    @t2\ntemplate t2\n  @t1\n\nrun\n  @t1\n\n"

    with pytest.raises(GoldenInvalidError, match="inside itself"):
        read_golden(sealed(body))


def test_templates_that_stand_for_too_much_are_refused():
    """A file of twenty lines cannot make us build millions of nodes."""
    levels = "".join(f"template t{at}\n  a\n    @t{at + 1}\n  b\n    @t{at + 1}\n" for at in range(1, 40))
    body = f"otg 1\n\n{levels}template t40\n  c\n\nrun\n  @t1\n\n"

    with pytest.raises(GoldenInvalidError, match="stand for more than"):
        read_golden(sealed(body))


def test_a_chain_of_many_levels_can_be_written():
    """20,000 nested spans are compared, written and read; no line is indented without end."""
    spans = [
        Span("a" * 32, f"{at:016x}", "level", at, 10**6 - at, f"{at - 1:016x}" if at else None)
        for at in range(20_000)
    ]
    golden = make_golden([CapturedRun(spans)])

    text = write_golden(golden)

    assert max(map(len, text.splitlines())) < 200
    assert compare(read_golden(text), [CapturedRun(spans)]).verdict == "pass"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no header"),
        ("{}\n", "no header"),
        ("<<<<<<< ours\n", "conflict"),
        ('{"otg_stats": 9}\n', "format 9"),
        ('{"otg_stats": 1}\n', "lacks"),
        ('{"otg_stats": 1, "runs": 99999999999999999999, "root_ns": [1]}\n', "99999999999999999999 runs"),
    ],
)
def test_damaged_times_are_refused(programs, text, found):
    """Times that were merged or cut are refused, not ignored."""
    golden = write_golden(golden_of(programs, small(programs)))

    with pytest.raises(GoldenInvalidError, match=found):
        read_golden(golden, stats=text)


def test_more_runs_than_a_golden_can_have_are_refused(programs):
    """A file that says it has the series of 10^20 runs is refused at once, and not allocated."""
    program = small(programs)
    run = programs.run_program(program, programs.Conditions(seed=1))
    text = write_golden(make_golden([replace(run, metrics=[MetricSeries("lr", [0.0, 1.0], [0.5, 0.25])])]))
    body = text[: text.rindex("end ")].replace("series lr runs=1", "series lr runs=99999999999999999999")

    with pytest.raises(GoldenInvalidError, match="99999999999999999999 runs"):
        read_golden(sealed(body))


def test_a_golden_without_variants_is_refused():
    """Nothing is equal to nothing."""
    with pytest.raises(GoldenInvalidError):
        make_golden([])
    with pytest.raises(GoldenInvalidError, match="no spans"):
        compare(Golden([]), [])


def loops(*columns, **attributes):
    """Return a run with an epoch for each column, whose steps have these numbers."""
    spans = [Span("1" * 32, f"{1:016x}", "run", 0, 10**9, attributes=attributes)]
    for epoch, column in enumerate(columns):
        own = len(spans) + 1
        start = own * 1000
        spans.append(
            Span(
                "1" * 32, f"{own:016x}", "epoch", start, start + 900, parent_span_id=f"{1:016x}",
                attributes={"ml.epoch.index": epoch},
            )
        )  # fmt: skip
        for at, number in enumerate(column):
            place = {"ml.step.index": number}
            spans.append(
                Span(
                    "1" * 32, f"{len(spans) + 1:016x}", "step", start + at, start + at + 1,
                    parent_span_id=f"{own:016x}", attributes=place,
                )
            )  # fmt: skip
    return CapturedRun(spans)


@pytest.mark.parametrize(
    "columns",
    [
        ([0, 1, 2], [3, 4, 5]), ([0, 1, 3], [4, 5, 6]), ([0, 2, 4], [6, 8, 10]), ([0, 0, 0], [1, 1, 1]),
        ([2, 1, 0], [2, 1, 0]), ([0, 1, 2], [2, 3, 4]), ([5, 6, 7], [8, 9, 10]), ([0, 1, 2], [0, 1, 2]), ([0, -1, -2], [0, 1, 2]),
    ],
    ids=str,
)  # fmt: skip
def test_step_numbers_of_any_kind_read_back(columns):
    """Numbers that count on are written as a step; with a gap, a repetition or backwards they are written out."""
    run = loops(*columns)

    golden = read_golden(write_golden(make_golden([run], rules=Rules(index=frozenset({"ml.step.index"})))))

    assert compare(golden, [run]).failures == ()
    for at, other in enumerate([0, 1]):
        changed = [list(column) for column in columns]
        changed[other][1] += 70
        assert compare(golden, [loops(*changed)]).failures, at


def test_spans_with_and_without_content_keep_theirs(programs):
    """A root without attributes above spans that have some, and the other way round, read back as they were."""
    for run in (loops([0, 1]), loops([0, 1], team="vision"), loops([])):
        golden = read_golden(write_golden(make_golden([run])))

        assert compare(golden, [run]).failures == ()
        assert write_golden(golden) == write_golden(make_golden([run]))
