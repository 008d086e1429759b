"""A golden of several runs: what varies between them is accepted as far as they tell, and nothing else."""

import random
from dataclasses import replace

import pytest

from otel_experiments.errors import UnstableRunsError
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.roles import DEFAULT_RULES
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.goldens.stable import require_stable
from otel_experiments.model.span import Event, Span, StatusCode
from otel_experiments.semconv import attributes as attr


def span(number, name, attributes=None, *, start=None, is_foreign=False, **fields):
    """Return a span; the first is the root and the others are below it. Foreign ones have no lane."""
    lane = {} if is_foreign else {attr.ML_SPAN_LANE: "main", attr.ML_SPAN_SEQUENCE: number}
    start_ns = number * 1_000 if start is None else start
    return Span(
        trace_id="ab" * 16,
        span_id=f"{number:016x}",
        name=name,
        start_ns=start_ns,
        end_ns=start_ns + (10**9 if number == 0 else 500),
        parent_span_id=f"{0:016x}" if number else None,
        attributes={**lane, **(attributes or {})},
        **fields,
    )


def run(*attributes, name="fit", **fields):
    """Return a run whose stages have these attributes."""
    stages = [span(at, name, own, **fields) for at, own in enumerate(attributes, 1)]
    return CapturedRun([span(0, "run"), *stages])


def golden_of(runs, **options):
    """Return the golden of some runs as it is read back from its file."""
    return read_golden(write_golden(make_golden(runs, **options)))


def codes(golden, candidate):
    """Return (code, key) of what a candidate fails for."""
    return [(one.code, one.key) for one in compare(golden, [candidate], policy=Policy(timing="off")).failures]


@pytest.mark.parametrize(
    ("seen", "shown", "accepted", "refused"),
    [
        ("ab", '"a"|"b"', "ab", "c"),
        ("aab", '"a"|"b"', "ab", "c"),
        ("abc", "*", "abcxyz", ""),
        ("abcde", "*", "abcxyz", ""),
        ("abcdefg", "*", "x", ""),
        ("aaabc", '"a"|"b"|"c"', "abc", "d"),
        ("aabbcc", '"a"|"b"|"c"', "abc", "d"),
        ("aabc", "*", "d", ""),
        ("aaaaa", '"a"', "a", "b"),
        ("a-", '"a"|-', "a-", "b"),
        ("-a", '"a"|-', "a-", "b"),
        ("ab-", '"a"|"b"|-', "ab-", "c"),
        ("abc-", "*|-", "abcx-", ""),
    ],
)
def test_values_of_several_runs_are_a_list_or_open(seen, shown, accepted, refused):
    """Values that repeat are a list, values that keep being new are `*`, and what a run lacks is optional."""

    def made(letter):
        return run({"lr": 0.1} if letter == "-" else {"lr": 0.1, "host": letter})

    golden = make_golden([made(letter) for letter in seen])
    read = read_golden(write_golden(golden))

    assert f"{{host={shown} lr=0.1}}" in write_golden(golden)
    for one in (golden, read):
        assert [letter for letter in accepted if codes(one, made(letter))] == []
        assert [letter for letter in refused if not codes(one, made(letter))] == []
        assert codes(one, run({"lr": 0.2, "host": seen[0].replace("-", "a")})) == [("attr", "lr")]
    assert write_golden(read) == write_golden(golden)


def test_a_value_that_every_run_has_is_not_optional():
    """What varies and was there in each run has to be there."""
    golden = golden_of([run({"host": letter}) for letter in "abc"])

    assert codes(golden, run({})) == [("attr-removed", "host")]


def test_a_loop_tells_from_two_runs_that_its_values_are_drawn():
    """In two runs of a loop of many new values the next run's values are new too."""
    rng = random.Random(1)

    def drawn():
        return run(*({"token": rng.randrange(10**9), "n": at} for at in range(20)))

    golden = golden_of([drawn(), drawn()])

    assert codes(golden, drawn()) == []
    assert codes(golden, run(*({"token": 1, "n": at + 1} for at in range(20)))) == [("attr", "n")]


def test_an_index_that_some_runs_have_is_optional():
    """A step that only some runs write on their spans is no reason to fail a run that has it, or has not."""
    golden = golden_of([run({"fold": 1}), run({}), run({"fold": 1})])

    assert codes(golden, run({})) == codes(golden, run({"fold": 1})) == []


def test_attributes_of_events_may_vary_too():
    """An event that carries a number of its own in each run is the same event; another one is not."""

    def made(names, **attributes):
        return run({}, events=tuple(Event(name, 0, attributes) for name in names))

    golden = golden_of([made(["retry"], after=at) for at in (3, 5, 9)] + [made(["retry"])])

    assert codes(golden, made(["retry"], after=100)) == codes(golden, made(["retry"])) == []
    assert codes(golden, made(["retry", "retry"], after=100)) == [("event", "")]


def test_an_id_that_is_shared_in_some_runs_is_open():
    """Two spans that share their request's id in one run and not in another may do either."""
    first = "0b5d8f4e-1111-4222-8333-444455556666"
    second = first.replace("1", "2")
    golden = golden_of(
        [run({"request": first}, {"request": first}), run({"request": first}, {"request": second})]
    )

    for pair in ((first, first), (first, second)):
        assert codes(golden, run(*({"request": one} for one in pair))) == []


WHIMS = {
    "status": [run({}), run({}, status=StatusCode.ERROR)],
    "event": [run({}), run({}, events=(Event("retry", 0, {}),))],
    "scope": [run({}), run({}, scope=replace(span(0, "x").scope, name="other"))],
    "kind": [run({}), run({}, kind=2)],
    "count": [run({}), run({}, {})],
}


@pytest.mark.parametrize("whim", WHIMS)
def test_runs_that_do_different_things_make_no_golden(whim):
    """A status, event, scope, kind or count that varies is refused with the run and the difference, and passes with a reason."""
    runs = [WHIMS[whim][0], WHIMS[whim][1], WHIMS[whim][0]]
    golden = make_golden(runs, name="train")

    with pytest.raises(
        UnstableRunsError, match=rf"3 runs .* do 2 different things[\s\S]*run 2: {whim}  run/fit"
    ):
        require_stable(golden, runs)

    golden.variants[1] = replace(golden.variants[1], reason="both are right")
    require_stable(golden, runs)
    for one in runs:
        assert codes(read_golden(write_golden(golden)), one) == []


def test_a_difference_that_a_rule_ignores_makes_no_second_behaviour():
    """What an ignore rule of the project accepts in a comparison is accepted at capture too."""
    runs = WHIMS["status"]
    rule = IgnoreRule("run/fit", "status", reason="flaky")
    golden = make_golden(runs, excused=[rule])

    require_stable(golden, runs, ignore=[rule])
    with pytest.raises(UnstableRunsError, match=r"would not all pass it[\s\S]*run 2: status"):
        require_stable(golden, runs)


# --- foreign traces ----------------------------------------------------------------------------------------------


def fetches(*attributes, order=None):
    """Return a foreign trace whose children run at the same time, so that nothing tells their order."""
    places = list(range(len(attributes))) if order is None else order
    children = [
        span(at + 1, "fetch", own, start=100 + places[at], is_foreign=True)
        for at, own in enumerate(attributes)
    ]
    return CapturedRun([span(0, "run", is_foreign=True), *children])


@pytest.mark.parametrize("size", [3, 60])
def test_parallel_children_of_foreign_traces_may_lack_what_some_lacked(size):
    """Without lanes: an attribute that only some of the parallel children had is optional for each of them."""
    rng = random.Random(size)

    def made(change=None):
        owns = []
        for at in range(size):
            own = {"url": f"/{at}", "lr": 0.1}
            if rng.random() < 0.5:
                own["cached"] = rng.random() < 0.5
            owns.append(own | (change or {} if at == 1 else {}))
        order = list(range(size))
        rng.shuffle(order)
        return fetches(*owns, order=order)

    golden = golden_of([made(), made(), made()])

    assert [codes(golden, made()) for _ in range(5)] == [[]] * 5
    assert codes(golden, made({"lr": 0.2})) == [("attr", "lr")]
    assert codes(golden, made({"url": "/other"})) == [("attr", "url")]
    assert codes(golden, made({"new": 1})) == [("attr-added", "new")]


def test_parallel_children_are_told_apart_by_what_did_not_change():
    """One attribute changed in all parallel children is that change, whatever order they come in."""
    before = fetches(*({"url": f"/{at}", "lr": 0.1} for at in range(5)))
    after = fetches(*({"url": f"/{at}", "lr": 0.2} for at in range(5)), order=[4, 2, 0, 1, 3])

    assert codes(make_golden([before]), after) == [("attr", "lr")]


def test_rules_keep_their_meaning_for_golden_runs():
    """A volatile attribute is no reason to open anything."""
    rules = replace(DEFAULT_RULES, volatile=("nonce",))
    text = write_golden(make_golden([run({"nonce": at}) for at in range(3)], rules=rules))

    assert "nonce=" not in text
