"""Verdicts on the times of stages, from runs with wall and CPU time."""

import math
import random
from dataclasses import replace

import pytest

from otel_experiments.golden.checks.fingerprint import advisory_reasons, compare_fingerprints
from otel_experiments.golden.timing.compare import (
    MachineFactor,
    StageSample,
    TimingRun,
    TimingSettings,
    compare_timing,
    runs_needed,
)
from otel_experiments.golden.timing.stage import summarise_stage

BASE_MS = {
    "run/load": 40.0,
    "run/epoch/step/forward": 10.0,
    "run/epoch/step/backward": 20.0,
    "run/epoch/step/optimizer": 3.0,
    "run/epoch/eval": 30.0,
    "run/epoch/checkpoint.save": 15.0,
}
COUNTS = {"run/load": 1, "run/epoch/eval": 3, "run/epoch/checkpoint.save": 3}


def of_code(report, code):
    """Return the stages of a report of which one code is said."""
    return tuple(stage for stage in report.stages if stage.code == code)


def make_run(seed, *, wall=None, cpu=None, noise=0.01, cpu_noise=None, has_cpu=True, spread=0.0):
    """One run of the base program; `wall` and `cpu` are factors by path ("*" for all)."""
    draw = random.Random(seed)
    wall, cpu = wall or {}, cpu or {}
    cpu_noise = noise / 2 if cpu_noise is None else cpu_noise
    stages = {}
    for path, base in BASE_MS.items():
        lucky, cpu_lucky = math.exp(draw.gauss(0, noise)), math.exp(draw.gauss(0, cpu_noise))
        stages[path] = StageSample(
            count=COUNTS.get(path, 30),
            wall_ns=base * 1e6 * lucky * wall.get(path, wall.get("*", 1.0)),
            cpu_ns=base * 1e6 * cpu_lucky * cpu.get(path, cpu.get("*", 1.0)) if has_cpu else None,
            wall_error=spread,
            cpu_error=spread,
        )
    stages["run"] = StageSample(1, 20_000.0, 20_000.0 if has_cpu else None)
    return TimingRun(stages)


def goldens(count, **settings):
    """Return golden runs of unchanged code."""
    return [make_run(seed, **settings) for seed in range(count)]


def changed(path, factor):
    """Return a change of wall and CPU time alike."""
    return {"wall": {path: factor}, "cpu": {path: factor}}


def test_equal_code_says_nothing():
    """Runs of unchanged code, 3 % slower everywhere, have no verdict (E5)."""
    report = compare_timing(goldens(5), [make_run(9, wall={"*": 1.03}, cpu={"*": 1.03})])

    assert report.stages == ()
    assert not report.has_failed
    assert report.tested == 7
    assert (report.golden_runs, report.candidate_runs) == (5, 1)


@pytest.mark.parametrize("count", [1, 5], ids=["one golden", "five goldens"])
def test_a_stage_twice_as_slow_fails(count):
    """T1, T2: backward at 2x is slower and fails, alone, with one golden and with five."""
    report = compare_timing(goldens(count), [make_run(9, **changed("run/epoch/step/backward", 2.0))])

    (slow,) = [stage for stage in report.stages if stage.code != "inconclusive"]
    assert (slow.path, slow.code, slow.fails) == ("run/epoch/step/backward", "slower", True)
    assert slow.cpu_reading == "up"
    assert slow.count == 30
    assert slow.wall.ratio == pytest.approx(2.0, abs=0.08)
    assert slow.wall.p < 0.001
    assert slow.wall.impact_ns == pytest.approx(30 * 20e6, rel=0.1)


def test_a_small_stage_is_found_with_five_goldens():
    """T3: a stage of 2 to 3 % of the run at 1.4x is slower."""
    report = compare_timing(goldens(5), [make_run(9, **changed("run/epoch/checkpoint.save", 1.4))])

    assert [(stage.path, stage.fails) for stage in report.stages] == [("run/epoch/checkpoint.save", True)]


def test_a_quarter_is_found_with_ten_goldens_and_three_candidates():
    """1.25x at a run noise of 5 % is found with N = 10 and K = 3."""
    golden = goldens(10, noise=0.05)
    candidate = [
        make_run(50 + seed, noise=0.05, **changed("run/epoch/step/backward", 1.25)) for seed in range(3)
    ]

    assert [stage.path for stage in compare_timing(golden, candidate).stages if stage.fails] == [
        "run/epoch/step/backward"
    ]


def test_twice_as_fast_is_noted_and_passes():
    """T5: everything at half the time is `faster` and fails nothing."""
    report = compare_timing(goldens(5), [make_run(9, wall={"*": 0.5}, cpu={"*": 0.5})])

    assert {stage.code for stage in report.stages} == {"faster"}
    assert len(report.stages) == 6
    assert not report.has_failed


def test_a_slower_machine_is_one_factor():
    """X16: a machine 1.8x slower throughout has a uniform factor and no slow stage."""
    report = compare_timing(goldens(5), [make_run(9, wall={"*": 1.8}, cpu={"*": 1.8})])

    assert report.machine.is_uniform
    assert report.machine.wall == pytest.approx(1.8, abs=0.04)
    assert report.machine.cpu == pytest.approx(1.8, abs=0.04)
    assert report.stages == ()


def test_a_slow_stage_on_a_slower_machine_is_found_beside_the_factor():
    """After dividing by the machine's factor of 1.5 a stage that is 2x slower on top still fails."""
    factors = {"*": 1.5, "run/epoch/step/backward": 3.0}
    report = compare_timing(goldens(5), [make_run(9, wall=factors, cpu=factors)])

    assert report.machine.is_uniform
    assert [(stage.path, stage.code) for stage in report.stages] == [("run/epoch/step/backward", "slower")]
    assert report.stages[0].wall.adjusted_ratio == pytest.approx(2.0, abs=0.1)


def test_wall_without_cpu_is_waiting():
    """X17: wall 3x at CPU 1.0x is `waiting` and passes."""
    report = compare_timing(goldens(5), [make_run(9, wall={"run/epoch/eval": 3.0})])

    (stage,) = report.stages
    assert (stage.code, stage.fails, stage.cpu_reading) == ("waiting", False, "flat")
    assert "CPU time did not" in stage.reason


def test_waiting_of_a_declared_stage_fails():
    """Waiting fails where the stage is declared as I/O or GPU work, whose time is not CPU time."""
    report = compare_timing(
        goldens(5), [make_run(9, wall={"run/epoch/eval": 3.0})], external={"run/epoch/eval"}
    )

    assert [(stage.code, stage.fails) for stage in report.stages] == [("waiting", True)]


def test_waiting_of_three_runs_on_a_calm_machine_fails():
    """Three candidate runs that all wait, on a machine that is not slower otherwise, are no accident."""
    waiting = [make_run(seed, wall={"run/epoch/eval": 3.0}) for seed in (20, 21, 22)]
    two_of_three = [*waiting[:2], make_run(23)]

    assert compare_timing(goldens(5), waiting).has_failed
    assert not compare_timing(goldens(5), waiting[:2]).has_failed
    assert not compare_timing(goldens(5), two_of_three).has_failed


def test_noisy_neighbours_fail_nothing():
    """Walls of 1.2x to 4x at CPU times up by 5 to 15 % fail nothing, in 200 runs."""
    draw = random.Random(8)
    golden = goldens(5, noise=0.02)
    for seed in range(200):
        run = make_run(
            100 + seed,
            wall={path: draw.uniform(1.2, 4.0) for path in BASE_MS},
            cpu={path: draw.uniform(1.05, 1.15) for path in BASE_MS},
        )
        report = compare_timing(golden, [run])
        assert not report.has_failed, report.stages


def test_memory_bound_stages_may_cost_cpu_time_under_neighbours():
    """On a disturbed machine a stage whose CPU time rose by 1.4x where others rose by 1.2x waits and does not fail."""
    wall = dict.fromkeys(BASE_MS, 1.6)
    cpu = dict.fromkeys(BASE_MS, 1.2) | {"run/epoch/eval": 1.4}
    disturbed = compare_timing(goldens(5), [make_run(9, wall=wall | {"run/epoch/eval": 2.5}, cpu=cpu)])
    calm = compare_timing(goldens(5), [make_run(9, **changed("run/epoch/eval", 1.4))])

    assert not disturbed.has_failed
    assert "run/epoch/eval" in {stage.path for stage in of_code(disturbed, "waiting")}
    assert calm.has_failed


def test_a_slow_stage_is_found_among_noisy_neighbours():
    """Where all walls rose by neighbours, the stage whose CPU time doubled fails and no other does."""
    wall = {path: 2.0 + index / 2 for index, path in enumerate(BASE_MS)}
    report = compare_timing(goldens(5), [make_run(9, wall=wall, cpu={"run/epoch/step/backward": 2.0})])

    assert [stage.path for stage in report.stages if stage.fails] == ["run/epoch/step/backward"]


def test_cpu_time_alone_is_advisory():
    """CPU time that rose where wall time did not is `slower`, without failing."""
    report = compare_timing(goldens(5), [make_run(9, cpu={"run/load": 2.0})])

    (stage,) = report.stages
    assert (stage.path, stage.code, stage.fails) == ("run/load", "slower", False)
    assert stage.reason == "CPU time rose, wall time did not"


def test_twice_the_work_is_found_beside_neighbours():
    """Where golden runs vary by 40 % in wall time and 3 % in CPU time, a stage that costs twice both fails."""
    beside = {"noise": 0.4, "cpu_noise": 0.03}
    slower = [make_run(seed, **beside, **changed("run/load", 2.2)) for seed in (20, 21, 22)]
    waiting = [make_run(seed, **beside, wall={"run/load": 2.2}) for seed in (20, 21, 22)]
    busier = [make_run(seed, **beside, **changed("run/load", 1.2)) for seed in (20, 21, 22)]

    report = compare_timing(goldens(5, **beside), slower)

    (stage,) = [stage for stage in report.stages if stage.code == "slower"]
    assert (stage.path, stage.fails, stage.wall.is_slower) == ("run/load", True, False)
    assert stage.reason == "CPU time rose, wall time too, but is too unsteady to tell"
    assert not compare_timing(goldens(5, **beside), waiting).has_failed
    assert not compare_timing(goldens(5, **beside), busier).has_failed


@pytest.mark.parametrize("wall", [1.9, 1.08], ids=["wall time too", "wall time hidden by busy goldens"])
def test_cpu_time_of_every_run_outweighs_a_run_with_lucky_wall_time(wall):
    """Twice the CPU time in each of three runs fails, whatever one run's wall time; two runs, or one that cost no more, do not."""
    beside = {"noise": 0.25, "cpu_noise": 0.03}
    golden = goldens(5, **beside)
    middle = sorted(run.stages["run/load"].wall_ns for run in golden)[2]

    def candidate(seed, factor, cpu=2.0):
        run = make_run(seed, **beside, cpu={"run/load": cpu})
        load = replace(run.stages["run/load"], wall_ns=middle * factor)
        return replace(run, stages={**run.stages, "run/load": load})

    slow = [candidate(20, wall), candidate(21, wall * 1.02), candidate(22, 1.0)]
    idle = [*slow[:2], candidate(22, 1.0, cpu=1.0)]

    (stage,) = of_code(compare_timing(golden, slow), "slower")
    assert (stage.path, stage.fails) == ("run/load", True)
    assert not compare_timing(golden, idle).has_failed
    assert not compare_timing(golden, slow[1:]).has_failed


def test_neighbours_alone_are_not_slower_code():
    """Equal code beside neighbours, 100 times: wall times vary by 40 %, CPU times by 10 %, and no stage is slower."""
    beside = {"noise": 0.4, "cpu_noise": 0.1}
    reports = [
        compare_timing(
            [make_run(8 * seed + at, **beside) for at in range(5)],
            [make_run(8 * seed + at, **beside) for at in (5, 6, 7)],
        )
        for seed in range(100)
    ]

    blamed = [stage for report in reports for stage in report.stages if stage.fails]
    assert [stage for stage in blamed if stage.code == "slower"] == []


def crowded(run, share=0.67):
    """Return the run as it is recorded beside other programs."""
    return replace(run, host_load=share)


@pytest.mark.parametrize(
    ("candidate", "code", "fails"),
    [
        ({"wall": {"run/epoch/eval": 1.9}, "cpu": {"run/epoch/eval": 1.9}}, "waiting", False),
        ({"wall": {"run/epoch/eval": 4.0}, "cpu": {"run/epoch/eval": 4.0}}, "slower", True),
        ({"cpu": {"run/epoch/eval": 1.9}}, "slower", False),
        ({"wall": {"run/epoch/eval": 4.0}, "has_cpu": False}, "slower", False),
    ],
    ids=["as a shared core", "beyond any neighbour", "CPU time alone", "no CPU time"],
)
def test_beside_other_programs_only_much_cpu_time_fails(candidate, code, fails):
    """Programs that share a core cost 1.9x in wall and CPU time alike: that is no slower code, and four times is."""
    has_cpu = candidate.get("has_cpu", True)
    report = compare_timing(goldens(5, has_cpu=has_cpu), [crowded(make_run(9, **candidate))])

    (stage,) = [one for one in report.stages if one.path == "run/epoch/eval"]
    assert (stage.code, stage.fails) == (code, fails)
    assert report.machine.is_crowded
    if not fails and "wall" in candidate:
        assert "other programs used 67% of the machine's processors (golden 0%)" in stage.reason


def test_the_same_company_as_beside_the_goldens_changes_nothing():
    """Goldens and candidate recorded beside equally busy neighbours are compared as on a calm machine."""
    slow = crowded(make_run(9, **changed("run/epoch/eval", 1.9)), 0.7)
    report = compare_timing([crowded(run, 0.6) for run in goldens(5)], [slow])

    assert not report.machine.is_crowded
    assert [(stage.code, stage.fails) for stage in report.stages] == [("slower", True)]


def test_waiting_of_a_declared_stage_does_not_fail_beside_other_programs():
    """A stage of I/O that waits where others use the machine says nothing about the program."""
    run = crowded(make_run(9, wall={"run/epoch/eval": 3.0}))
    three = [crowded(make_run(seed, wall={"run/epoch/eval": 3.0})) for seed in (20, 21, 22)]

    assert not compare_timing(goldens(5), [run], external={"run/epoch/eval"}).has_failed
    assert not compare_timing(goldens(5), three).has_failed


@pytest.mark.parametrize(
    ("share", "factor", "code", "fails"),
    [
        (0.0, 150.0, "waiting", True),
        (0.0, 8.0, "waiting", True),
        (0.0, 4.3, "waiting", False),
        (0.9, 150.0, "waiting", True),
        (0.9, 8.0, "waiting", False),
    ],
    ids=["a forgotten sleep", "beyond busy neighbours", "as busy neighbours", "beside them", "maybe theirs"],
)
@pytest.mark.parametrize("runs", [1, 3])
def test_a_stage_that_waits_longer_than_neighbours_explain_fails(runs, share, factor, code, fails):
    """A stage many times slower by sleeping fails with one run, and beside others where their share is less than its wait."""
    candidate = [
        crowded(make_run(seed, wall={"run/epoch/checkpoint.save": factor}), share)
        for seed in range(20, 20 + runs)
    ]
    report = compare_timing(goldens(5), [replace(run, root_ns=2e9) for run in candidate])

    (stage,) = report.stages
    assert stage.code == code
    assert stage.fails == (fails or (runs == 3 and share == 0.0))
    assert ("longer than other programs explain" in stage.reason) == fails


def test_one_long_wait_of_three_runs_is_outvoted():
    """A stage that slept in two of three runs is shown and does not fail; nor does a short one that gains little."""
    long_waits = [make_run(seed, wall={"run/load": 150.0}) for seed in (20, 21)]
    short = TimingRun({"run/tick": StageSample(1, 1e6, 1e6)})
    longer = TimingRun({"run/tick": StageSample(1, 60e6, 1e6)})

    assert not compare_timing(goldens(5), [*long_waits, make_run(22)]).has_failed
    assert not compare_timing([short] * 5, [longer]).has_failed


def test_a_run_that_was_slow_by_luck_is_outvoted():
    """A stage that is 6x slower in one of three runs says nothing, in two it is shown, in all three it fails."""
    slow = [make_run(seed, **changed("run/load", 6.0)) for seed in (20, 21, 22)]
    one, two = [slow[0], make_run(21), make_run(22)], [*slow[:2], make_run(22)]

    assert compare_timing(goldens(5), one).stages == ()
    (stage,) = compare_timing(goldens(5), two).stages
    assert (stage.code, stage.fails, stage.reason) == ("slower", False, "not all 3 runs were slower")
    assert compare_timing(goldens(5), slow).has_failed


def test_waiting_of_a_declared_stage_is_outvoted_too():
    """A stage of I/O that waited in two of three runs is shown, in all three it fails."""
    slow = [make_run(seed, wall={"run/epoch/eval": 6.0}) for seed in (20, 21, 22)]
    external = {"run/epoch/eval"}

    (stage,) = compare_timing(goldens(5), [*slow[:2], make_run(22)], external=external).stages
    assert (stage.code, stage.fails, stage.reason) == ("waiting", False, "not all 3 runs were slower")
    assert compare_timing(goldens(5), slow, external=external).has_failed
    assert compare_timing(goldens(5), slow[:1], external=external).has_failed


def test_waiting_fails_beyond_the_slowest_golden_only():
    """Three runs that wait, but no longer than one of the goldens did, are no accident of theirs alone."""
    golden = [*goldens(9), make_run(9, wall={"run/epoch/eval": 2.2})]
    candidate = [make_run(seed, wall={"run/epoch/eval": 2.3}) for seed in (20, 21, 22)]
    longer = [make_run(seed, wall={"run/epoch/eval": 6.0}) for seed in (20, 21, 22)]

    assert not compare_timing(golden, candidate).has_failed
    assert compare_timing(golden, longer).has_failed


def two_kinds(factor=1.0, count=36):
    """A run with one stage whose spans take 56 and 5 ms by turns."""
    times = [factor * base * (1 + 0.01 * (at % 5)) for at in range(count // 2) for base in (56e6, 5e6)]
    return TimingRun({"run/split": summarise_stage(times, times)})


def test_a_stage_of_two_kinds_of_spans_is_compared_at_a_quartile():
    """The median of 18 short and 18 long spans is anywhere; their upper quartile is steady, and 3x is seen there."""
    equal = compare_timing([two_kinds()], [two_kinds(1.02)])
    report = compare_timing([two_kinds()], [two_kinds(3.0)])

    (stage,) = report.stages
    assert [one.code for one in equal.stages if one.fails] == []
    assert (stage.code, stage.fails, stage.quantile) == ("slower", True, 0.75)
    assert stage.wall.golden_ns == pytest.approx(57e6, rel=0.02)
    assert stage.wall.ratio == pytest.approx(3.0)


@pytest.mark.parametrize("count", [12, 24, 48])
def test_spans_of_two_kinds_by_chance_are_not_slower_code(count):
    """Each span is short or long by the toss of a coin, as with a cache: equal code does not fail in 300 checks."""
    draw = random.Random(4)

    def run():
        times = [draw.choice([5e6, 60e6]) * math.exp(draw.gauss(0, 0.03)) for _ in range(count)]
        return TimingRun({"run/load": summarise_stage(times, times)})

    reports = [compare_timing([run()], [run()]) for _ in range(300)]

    assert sum(report.has_failed for report in reports) <= 1


def test_a_steady_stage_is_compared_at_its_median():
    """Quartiles are for stages whose median is unsure; where it is not, it stays the median, whatever else is known."""
    draw = random.Random(3)
    times = [20e6 * math.exp(draw.gauss(0, 0.05)) for _ in range(40)]
    run = TimingRun({"run/step": summarise_stage(times, times)})
    slow = TimingRun({"run/step": summarise_stage([2 * one for one in times], [2 * one for one in times])})

    (stage,) = compare_timing([run], [slow]).stages
    assert (stage.code, stage.quantile) == ("slower", 0.5)


def test_missing_cpu_time_leaves_wall_time_to_decide():
    """Foreign spans without CPU time: a slow stage fails on its wall time and the reason says so."""
    report = compare_timing(
        goldens(5, has_cpu=False), [make_run(9, has_cpu=False, wall={"run/epoch/eval": 2.0})]
    )

    (stage,) = report.stages
    assert (stage.code, stage.fails, stage.cpu_reading, stage.cpu) == ("slower", True, "unknown", None)
    assert "CPU time is not recorded" in stage.reason


def test_wall_time_alone_does_not_fail_against_one_run():
    """Without CPU time, one golden run and one candidate do not say how wall time varies; three on a side do."""
    slow = [make_run(seed, has_cpu=False, wall={"run/epoch/eval": 2.0}) for seed in (9, 10, 11)]

    (stage,) = of_code(compare_timing(goldens(1, has_cpu=False), slow[:1]), "slower")
    assert (stage.fails, "CPU time is not recorded" in stage.reason) == (False, True)
    assert compare_timing(goldens(1, has_cpu=False), slow).has_failed
    assert compare_timing(goldens(3, has_cpu=False), slow[:1]).has_failed


def test_a_stage_that_is_done_sooner_is_not_slower():
    """Wall time that fell where CPU time rose, as work on more cores, is `faster`."""
    report = compare_timing(
        goldens(5), [make_run(9, wall={"run/epoch/eval": 0.4}, cpu={"run/epoch/eval": 1.5})]
    )

    assert [(stage.code, stage.fails) for stage in report.stages] == [("faster", False)]


def test_missing_cpu_time_on_a_slower_machine_is_advisory():
    """Without CPU time, stages of a machine that was slower in most stages do not fail."""
    wall = {path: 1.5 + index / 2 for index, path in enumerate(BASE_MS)}
    report = compare_timing(goldens(5, has_cpu=False), [make_run(9, has_cpu=False, wall=wall)])

    assert of_code(report, "slower")
    assert not report.has_failed


def test_too_few_runs_are_inconclusive():
    """X18: one golden at 10 % noise and a candidate at 1.2x is `inconclusive`, with the runs that are needed."""
    golden = [make_run(1, noise=0.1, spread=0.1 * math.sqrt(math.pi / 60))]
    candidate = [
        make_run(2, noise=0.1, spread=0.1 * math.sqrt(math.pi / 60), wall={"*": 1.2}, cpu={"*": 1.2})
    ]
    report = compare_timing(golden, candidate)

    stages = of_code(report, "inconclusive")
    assert stages
    assert not report.has_failed
    for stage in stages:
        assert stage.wall.power < 0.9
        assert stage.golden_runs_needed is not None
        assert stage.golden_runs_needed + stage.candidate_runs_needed > 2


def test_the_runs_needed_are_enough():
    """With the number of runs that `inconclusive` asks for, the power reaches 90 %."""
    golden = goldens(1)
    stage = of_code(
        compare_timing(golden, [make_run(9)], settings=TimingSettings(prior_std=0.08)), "inconclusive"
    )[0]

    needed = (stage.golden_runs_needed, stage.candidate_runs_needed)
    again = compare_timing(
        [make_run(seed, noise=0.08) for seed in range(needed[0] + 2)],
        [make_run(90 + seed, noise=0.08) for seed in range(needed[1] + 1)],
        settings=TimingSettings(prior_std=0.08),
    )
    assert not of_code(again, "inconclusive")


def test_runs_needed_are_none_when_no_number_would_do():
    """A stage so short that 1.5x is nothing beside the floor needs more than 100 runs: None."""
    report = compare_timing(goldens(5), [make_run(9, **changed("run/epoch/step/backward", 2.0))])
    wall = report.stages[0].wall

    assert runs_needed(wall, golden_runs=5, candidate_runs=1, family=7) == (5, 1)
    tiny = TimingSettings(power_ratio=1.0001)
    assert runs_needed(wall, golden_runs=5, candidate_runs=1, family=7, settings=tiny) is None


def test_another_host_makes_time_advisory():
    """Where the host differs, the slow stage is still shown, nothing fails, and the reason is given."""
    differences = compare_fingerprints({"cpu": "EPYC", "cores": 8}, {"cpu": "Xeon", "cores": "8"})
    report = compare_timing(
        goldens(5),
        [make_run(9, **changed("run/load", 2.0))],
        advisory_reasons=advisory_reasons(differences),
    )

    assert [stage.code for stage in report.stages] == ["slower"]
    assert not report.has_failed
    assert report.is_advisory
    assert report.advisory_reasons == ("the host differs (cpu: EPYC -> Xeon)",)


def test_fingerprints_compare_by_key():
    """Keys of one side only are differences, numbers equal their text, and an absent fingerprint tells nothing."""
    ours, theirs = {"cpu": "A", "torch": "2.8", "threads": 4}, {"cpu": "A", "threads": "4", "gpu": "H200"}

    assert [str(difference) for difference in compare_fingerprints(ours, theirs)] == [
        "gpu: unknown -> H200",
        "torch: 2.8 -> unknown",
    ]
    assert compare_fingerprints({}, ours) == ()


def test_stages_that_are_slow_in_ratio_only_do_not_fail():
    """A stage that gains less than 1 % of the run and less than 5 ms is not worth a failure."""
    run = TimingRun({"a": StageSample(1, 1e9, 1e9), "b": StageSample(1, 2e6, 2e6)})
    slow = TimingRun({"a": StageSample(1, 1e9, 1e9), "b": StageSample(1, 6e6, 6e6)})
    slower = TimingRun({"a": StageSample(1, 1e9, 1e9), "b": StageSample(1, 8e6, 8e6)})

    assert not compare_timing([run] * 5, [slow]).has_failed
    assert compare_timing([run] * 5, [slower]).has_failed


def test_containers_without_time_of_their_own_have_no_ratio():
    """Self times near 0 may grow many times over without a word."""
    run = TimingRun({"a": StageSample(100, 1e3, 1e3), "b": StageSample(1, 1e8, 1e8)})
    other = TimingRun({"a": StageSample(100, 4e4, 4e4), "b": StageSample(1, 1e8, 1e8)})

    assert compare_timing([run] * 5, [other]).stages == ()


def test_two_stages_are_no_machine():
    """With fewer than three stages that can tell, a slow stage is a slow stage and not a slow machine."""
    run = TimingRun({"a": StageSample(10, 1e7, 1e7), "b": StageSample(10, 2e7, 2e7)})
    slow = TimingRun({"a": StageSample(10, 2e7, 2e7), "b": StageSample(10, 4e7, 4e7)})
    report = compare_timing([run] * 5, [slow])

    assert report.machine == MachineFactor(stage_count=2)
    assert [stage.code for stage in report.stages] == ["slower", "slower"]


def test_stages_of_one_side_only_are_left_out():
    """A stage that a run lacks is structure's finding; time compares what all runs have."""
    run = make_run(1)
    lacking = TimingRun({path: stage for path, stage in make_run(2).stages.items() if path != "run/load"})

    assert compare_timing([run], [lacking]).tested == 6


def test_more_noise_in_the_goldens_asks_for_more():
    """A change that five calm goldens show is not called where the goldens vary by 20 %."""
    slow = make_run(9, **changed("run/epoch/step/backward", 1.4))

    assert compare_timing(goldens(5), [slow]).has_failed
    assert not compare_timing(goldens(5, noise=0.2), [slow]).has_failed


def test_learned_priors_replace_the_default():
    """What calibration learned of a stage is used for it: a stage known to vary by 30 % is not blamed for 1.5x."""
    slow = make_run(9, **changed("run/epoch/step/backward", 1.5))
    learned = TimingSettings(stage_prior_std={"run/epoch/step/backward": 0.3})

    assert compare_timing(goldens(3), [slow]).has_failed
    assert not compare_timing(goldens(3), [slow], settings=learned).has_failed


def test_a_side_without_runs_is_refused():
    """No golden or no candidate run is an error that counts both."""
    with pytest.raises(ValueError, match="0 golden and 1 candidate"):
        compare_timing([], [make_run(1)])
