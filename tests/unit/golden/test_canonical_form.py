"""The canonical form: what is dropped, what keeps identity, what decides order."""

import random
from dataclasses import replace

import pytest

from otel_experiments.errors import EmptyTraceError, IncompleteTraceError
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.form import NodeType
from otel_experiments.golden.canonical.normalize import normalize_text
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Role, Roles, Rules
from otel_experiments.golden.canonical.trace import CapturedRun, SpanCounts, require_complete
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import write_golden
from otel_experiments.goldens.reports import render
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, StatusCode
from otel_experiments.semconv import attributes as attr

TRACE = "ab" * 16


def span(number, name, parent=None, *, start=None, length=50, lane="main", trace=TRACE, **fields):
    """Return a span with a readable id; starts follow the numbers."""
    start = number * 100 if start is None else start
    attributes = dict(fields.pop("attributes", {}))
    if lane is not None:
        attributes |= {attr.ML_SPAN_LANE: lane, attr.ML_SPAN_SEQUENCE: number}
    return Span(
        trace_id=trace,
        span_id=f"{number:016x}",
        name=name,
        start_ns=start,
        end_ns=start + length,
        parent_span_id=None if parent is None else f"{parent:016x}",
        attributes=attributes,
        **fields,
    )


def tree(spans, rules=DEFAULT_RULES, **options):
    """Return the tree lines of the golden file of one run."""
    text = write_golden(make_golden([CapturedRun(spans, **options)], rules=rules, allow_nonfinite=True))
    body = text.split("\n\n", 1)[1]
    return body[: body.rindex("\n\n")].split("\n")


def verdict(golden, candidate, rules=DEFAULT_RULES):
    """Return verdict and failing codes of two lists of spans, times disregarded."""
    comparison = compare(make_golden([CapturedRun(golden)], rules=rules), [CapturedRun(candidate)])
    return [one.code for one in comparison.failures if one.group != "time"]


# --- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("id 123e4567-e89b-12d3-a456-426614174000.", "id <uuid>."),
        ("sha 0123456789abcdef0", "sha <hex>"),
        ("<Foo object at 0x7f3a2c4b5d60>", "<Foo object at <address>>"),
        ("at 2026-11-21T10:31:24.123Z", "at <time>"),
        ("run_20261121-103124/x", "run_<time>/x"),
        ("/tmp/run-1/ck0.pt", "<tmp>/ck0.pt"),
        ("/tmp/tmpab12cd_3", "<tmp>"),
        ("/private/var/folders/a1/b2c3/T/x/model.bin", "<tmp>/model.bin"),
        ("/home/ann/p/data.csv", "<home>/p/data.csv"),
        (r"C:\Users\ann\p\data.csv", r"<home>\p\data.csv"),
        ("http://localhost:43121/v1", "http://localhost:<port>/v1"),
        ("postgres://ann:s3cret@db/x", "postgres://<redacted>@db/x"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer <redacted>"),
        ("key sk-abcdefghijklmnop1234", "key <redacted>"),
        ("AKIAABCDEFGHIJKLMNOP", "<redacted>"),
        ("tok aZ3kQ9xL2mN8pR4tV6wY1bC5", "tok <redacted>"),
        ("key wJa7rXUt2FEMI/K7MDE4G/bPxRf8CYzQ1pLEKEYa", "key <redacted>"),
        ("no access: password=hunter", "no access: password=<redacted>"),
        ("https://h/x?api_key=AbC&page=1", "https://h/x?api_key=<redacted>&page=1"),
        ("train.py --db-password hunter --lr 0.1", "train.py --db-password <redacted> --lr 0.1"),
        ('{"password": "a b", "n": 1}', '{"password": "<redacted>", "n": 1}'),
        (r"{\"client_secret\": \"abc\"}", r"{\"client_secret\": \"<redacted>\"}"),
        ("AWS_SECRET_ACCESS_KEY='abc' run", "AWS_SECRET_ACCESS_KEY='<redacted>' run"),
        ("secret: hunter2", "secret: <redacted>"),
        ("?access_token=abcdefg1&x=1", "?access_token=<redacted>&x=1"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/services/<redacted>"),
        ("wrong password: access denied", "wrong password: access denied"),
        ("password=None", "password=None"),
        (
            "max_token=512 eos_token=</s> pad_token=endoftext",
            "max_token=512 eos_token=</s> pad_token=endoftext",
        ),
        ("layer.12.weight", "layer.12.weight"),
        ("2024-01-01", "2024-01-01"),
        ("resnet50_imagenet1k_v2_backbone", "resnet50_imagenet1k_v2_backbone"),
    ],
)
def test_texts_lose_what_varies(text, expected):
    """Ids, addresses, times, paths, ports and secrets become labels; names and versions stay."""
    assert normalize_text(text)[0] == expected


def test_secrets_never_reach_a_golden():
    """X22: by the attribute's name, by the look of the value, and inside of events."""
    secret = "hunter2-hunter2"
    spans = [
        span(
            0,
            "run",
            attributes={"api_key": secret, "db.password": secret, "note": f"postgres://u:{secret}@h/x"},
        ),
        span(1, "call", 0, events=(Event("sent", 110, {"authorization": secret}),)),
    ]

    text = "\n".join(tree(spans))

    assert secret not in text
    assert text.count("<redacted>") == 4


@pytest.mark.parametrize(
    "key",
    [
        "pwd",
        "db_pwd",
        "user.pass",
        "PGPASSWORD",
        "smtp.passwd",
        "apiKey",
        "HF_TOKEN",
        "jwt",
        "aws.secret",
        "dbPwd",
    ],
)
def test_secrets_are_told_by_their_names_everywhere(key):
    """No golden, and no report in any form, holds what such a name stands for: on spans, events, inside mappings."""
    secrets = ["correct-horse", "battery-staple"]

    def recorded(secret):
        event = Event("sent", 110, {key: secret, "with": {key: secret}})
        own = {
            key: secret,
            "config": {"a": [{key: secret}]},
            "command": f"run --{key} {secret} {key}={secret}7",
        }
        return CapturedRun([span(0, "run", attributes=own, events=(event,), status=StatusCode.ERROR)])

    golden = make_golden([recorded(secrets[0])])
    changed = recorded(secrets[1])
    changed.spans[0].attributes["other"] = 1
    comparison = compare(golden, [changed])
    forms = ("text", "json", "md", "html", "junit", "github")
    texts = [write_golden(golden), *(render(comparison, form) for form in forms)]

    assert [(one.code, one.key) for one in comparison.failures] == [("attr-added", "other")]
    assert [text for text in texts if any(secret in text for secret in secrets)] == []


def test_names_lose_what_varies_and_secrets():
    """A span or event named after an id, a path or a secret has a label there, so that runs can be compared."""

    def recorded(uuid):
        return [
            span(0, "run"),
            span(1, f"GET /jobs/{uuid}", 0, events=(Event("password=hunter2", 110, {}),)),
            span(2, "GET /health", 0),
        ]

    one, other = (recorded(f"{at}23e4567-e89b-12d3-a456-426614174000") for at in range(2))

    assert tree(one) == [
        "run",
        '  "GET /jobs/<uuid>"',
        '    ! "password=<redacted>"',
        '  "GET /health"',
    ]
    assert verdict(one, other) == []


def test_counts_of_tokens_are_no_secrets():
    """An attribute such as max_tokens or tokenizer is not redacted, nor is a number."""
    assert tree([span(0, "run", attributes={"max_tokens": 10, "tokenizer": "bpe", "token": 3})]) == [
        'run {max_tokens=10 token=3 tokenizer="bpe"}'
    ]


def test_the_same_id_twice_stays_visible():
    """Two spans with one id get one number; ids that occur once have none."""
    one, two, other, fresh = (f"{at}23e4567-e89b-12d3-a456-426614174000" for at in range(4))
    spans = [
        span(0, "run"),
        span(1, "put", 0, attributes={"key": one}),
        span(2, "get", 0, attributes={"key": one}),
        span(3, "put", 0, attributes={"key": two}),
        span(4, "get", 0, attributes={"key": other}),
    ]

    assert tree(spans) == [
        "run",
        '  put {key="<uuid:1>"}',
        '  get {key="<uuid:1>"}',
        '  put {key="<uuid>"}',
        '  get {key="<uuid>"}',
    ]
    renamed = [
        replace(
            one_span,
            attributes={
                k: v.replace("23e", "99a") if k == "key" else v for k, v in one_span.attributes.items()
            },
        )
        for one_span in spans
    ]
    split = [*spans[:2], replace(spans[2], attributes={**spans[2].attributes, "key": fresh}), *spans[3:]]
    assert verdict(spans, renamed) == []
    assert verdict(spans, split) == ["attr"]


# --- attributes --------------------------------------------------------------------------------------------------


def test_roles_are_told_from_name_and_type():
    """Declared roles win over the defaults, an exact name over a glob, and an index has to be a number."""
    roles = Roles(Rules(config=("loss",), volatile=("temp.*",), index=("sweep",)))

    assert roles.role_of("epoch", int) is Role.INDEX
    assert roles.role_of("epoch", str) is Role.CONFIG
    assert roles.role_of("val_loss", float) is Role.METRIC
    assert roles.role_of("loss", float) is Role.CONFIG
    assert roles.role_of("temp.cpu", float) is Role.VOLATILE
    assert roles.role_of("sweep", int) is Role.INDEX
    assert roles.role_of("host.name", str) is Role.VOLATILE
    assert roles.role_of("lr", float) is Role.CONFIG


@pytest.mark.parametrize(
    ("golden", "candidate", "expected"),
    [
        (0.1, 0.1 * (1 + 1e-12), []),
        (0.1, 0.1 * (1 + 1e-6), ["attr"]),
        (0.0, -0.0, []),
        (float("nan"), float("nan"), []),
        (1, 1.0, ["attr-type"]),
        (True, 1, ["attr-type"]),
        ((1, 2), [1, 2], []),
        ((1, 2), (1, 3), ["attr"]),
        ({"a": 1}, {"a": 1}, []),
        (b"x", b"y", ["attr"]),
        (None, None, []),
    ],
    ids=str,
)
def test_values_are_compared_with_their_types(golden, candidate, expected):
    """Floats within a relative 1e-9, NaN equals NaN, and 1, 1.0 and True are three values."""
    assert (
        verdict([span(0, "run", attributes={"x": golden})], [span(0, "run", attributes={"x": candidate})])
        == expected
    )


def test_types_are_told_apart_inside_one_run():
    """Two spans with 1 and 1.0 are not taken for the same, though Python finds the two equal."""
    spans = [span(0, "run"), span(1, "a", 0, attributes={"x": 1}), span(2, "a", 0, attributes={"x": 1.0})]

    assert tree(spans) == ["run", "  a x2 {x=(1, 1.0)}"]


# --- order -------------------------------------------------------------------------------------------------------


def test_children_are_in_the_order_of_their_sequence_when_the_clock_went_back():
    """A wall clock that was set back does not reorder what one lane did."""
    spans = [
        span(0, "run", start=0, length=1000),
        span(1, "a", 0, start=500),
        span(2, "b", 0, start=100),
    ]

    assert tree(spans) == ["run", "  a", "  b"]


def test_work_beside_its_caller_has_no_place():
    """Spans of another lane that overlap the caller's own are equal wherever they began."""
    early = [
        span(0, "run", length=1000),
        span(1, "a", 0, start=100, length=300),
        span(2, "writer", 0, start=150, length=600, lane="thread-1"),
        span(3, "b", 0, start=500, length=300),
    ]
    late = [*early[:2], replace(early[2], start_ns=550), early[3]]

    assert tree(early) == ["run", "  a", "  b", "  par floating", "    writer"]
    assert verdict(early, late) == []


def test_a_pool_may_give_its_tasks_to_any_worker():
    """Which worker took which task is chance, also when each task is two spans."""

    def run(assignment):
        spans = [span(0, "run", length=10_000)]
        free = dict.fromkeys(set(assignment), 100)
        for worker in assignment:
            for part in ("read", "decode"):
                number = len(spans)
                start = free[worker]
                spans.append(span(number, part, 0, start=start, lane=worker))
                free[worker] = start + 60
        return spans

    assert verdict(run("abababab"), run("aabbbaba")) == []
    assert tree(run("abab")) == ["run", "  par x4 lanes=2", "    read", "    decode"]


def test_a_lane_whose_last_repetition_is_cut_short_is_one_piece_of_work():
    """A lane that did read, decode and read is no two tasks, of which one would lack its half."""
    parts = [(1, "read", "a"), (2, "decode", "a"), (3, "read", "a"), (4, "read", "b"), (5, "decode", "b")]
    spans = [
        span(0, "run", length=10_000),
        *(span(at, part, 0, start=at * 100, lane=lane) for at, part, lane in parts),
    ]

    assert tree(spans) == [
        "run", "  par", "    lane x1", "      read", "      decode", "    lane x1", "      read", "      decode", "      read",
    ]  # fmt: skip


def test_without_lanes_overlap_has_no_order_and_the_rest_has():
    """A foreign trace: overlapping siblings may swap, others may not."""

    def run(order, *, overlap):
        names = dict(enumerate(order, 1))
        gap = 30 if overlap else 100
        return [
            span(0, "run", lane=None, length=5_000),
            *(span(at, name, 0, start=at * gap, lane=None) for at, name in names.items()),
            span(9, "end", 0, start=4_000, lane=None),
        ]

    assert canonicalize(CapturedRun(run("ab", overlap=True))).order == "learned"
    assert verdict(run("ab", overlap=True), run("ba", overlap=True)) == []
    assert verdict(run("ab", overlap=False), run("ba", overlap=True)) == []
    assert verdict(run("ab", overlap=False), run("ba", overlap=False)) == ["reordered"]


def test_several_goldens_teach_the_order_of_a_foreign_trace():
    """Siblings that the golden runs show in both orders are unordered from then on."""

    def run(order):
        return CapturedRun(
            [span(0, "run", lane=None, length=5_000)]
            + [span(at, name, 0, start=at * 100, lane=None) for at, name in enumerate(order, 1)]
        )

    golden = make_golden([run("abc"), run("bac"), run("abc")])

    assert golden.rules.unordered == ("run",)
    assert compare(golden, [run("bac")]).verdict == "pass"
    assert len(golden.variants) == 1


def test_threads_stand_in_for_lanes():
    """Spans of OpenTelemetry's thread attributes are ordered inside a thread and not between threads."""

    def run(order):
        return [
            span(0, "run", lane=None, length=5_000, attributes={attr.THREAD_ID: 1}),
            *(
                span(at, name, 0, start=at * 20, lane=None, attributes={attr.THREAD_ID: 1 + at})
                for at, name in enumerate(order, 1)
            ),
        ]

    assert canonicalize(CapturedRun(run("ab"))).order == "lanes"
    assert verdict(run("ab"), run("ba")) == []


def test_declared_orders_win():
    """`unordered` children may swap, `ordered` ones may not, whatever their lanes say."""
    spans = [span(0, "run", length=500), span(1, "a", 0), span(2, "b", 0)]
    swapped = [spans[0], span(1, "b", 0), span(2, "a", 0)]
    lanes = [spans[0], span(1, "a", 0, lane="x"), span(2, "b", 0, lane="y")]
    swapped_lanes = [spans[0], span(1, "b", 0, lane="y"), span(2, "a", 0, lane="x")]

    assert verdict(spans, swapped) == ["reordered"]
    assert verdict(spans, swapped, Rules(unordered=("run",))) == []
    assert verdict(lanes, swapped_lanes) == []
    assert verdict(lanes, swapped_lanes, Rules(ordered=("run",))) == ["reordered"]


def test_ranks_are_folded():
    """Ranks that do the same are one line with their numbers."""
    spans = [span(0, "run", length=900)] + [
        span(1 + rank * 2 + part, name, 0, lane=f"rank{rank}/main", start=100 + part * 60 + rank)
        for rank in range(3)
        for part, name in enumerate(("forward", "all_reduce"))
    ]

    assert tree(spans) == ["run", "  rank x3 [rank=0..2]", "    forward", "    all_reduce"]


def test_loops_show_their_index():
    """A loop is one line with the range of its index; a gap and a repetition are shown."""
    spans = [span(0, "run", length=9_000)] + [
        span(at, "step", 0, attributes={"step": value})
        for at, value in enumerate((0, 1, 2, 4, 4, 6, 8, 10), 1)
    ]

    assert tree(spans) == ["run", "  step x8 [step=0..2,4x2,6..10/2]"]


def test_chunk_traces_are_put_back():
    """Spans that were cut into chunk traces belong to the spans that enclosed them, wherever the cuts were."""

    def run(cut):
        chunk = "cd" * 16
        root_link = Link(TRACE, f"{0:016x}")
        spans = [span(0, "run", length=10_000), span(1, "epoch", 0, start=10, length=9_000)]
        for at in range(6):
            number = 10 + at
            if at < cut:
                spans.append(span(number, "step", 1, start=number * 100, attributes={"step": at}))
            else:
                step = span(number, "step", 99, start=number * 100, attributes={"step": at}, trace=chunk)
                spans.append(replace(step, links=(Link(TRACE, f"{1:016x}"),)))
        marks = {attr.ML_TRACE_CHUNK_INDEX: 0}
        spans[0] = replace(spans[0], links=(Link(chunk, f"{99:016x}", marks),))
        return [*spans, span(99, "chunk x", attributes=marks, trace=chunk, links=(root_link,))]

    assert tree(run(3)) == ["run", "  epoch", "    step x6 [step=0..5]"]
    assert verdict(run(2), run(5)) == []


# --- completeness ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (CapturedRun([replace(span(0, "run"), end_ns=None)]), "1 spans have not ended"),
        (CapturedRun([span(0, "run"), span(1, "a", 7)]), "1 orphans"),
        (CapturedRun([span(1, "a", 7), span(2, "b", 7)]), "the root span is missing (2 orphans below it)"),
        (CapturedRun([span(0, "run")], counts=SpanCounts(5, 5, 0)), "4 of 5 spans were dropped"),
        (CapturedRun([span(0, "run")], counts=SpanCounts(3, 1, 0)), "2 spans have not ended"),
        (
            CapturedRun([span(0, "run"), span(1, "a", 2), span(2, "b", 1)]),
            "2 spans name each other as parents",
        ),
    ],
    ids=["open", "orphan", "rootless", "dropped", "started", "circle"],
)
def test_incomplete_traces_are_refused_with_counts(run, found):
    """A trace that lacks something is not brought into a form."""
    with pytest.raises(IncompleteTraceError) as raised:
        canonicalize(run)

    assert found in str(raised.value)
    assert raised.value.exit_code == 4


def test_an_empty_trace_is_refused():
    """No spans are not a trace."""
    with pytest.raises(EmptyTraceError, match="has no spans"):
        require_complete(CapturedRun([], name="r1"))


def test_a_trace_entered_from_outside_has_a_root():
    """One span with an absent parent is the root of a trace that another process began."""
    assert tree([span(0, "run", 77), span(1, "a", 0)]) == ["run", "  a"]


def test_spans_exported_twice_count_once():
    """An exporter that retried does not double anything."""
    spans = [span(0, "run"), span(1, "a", 0)]

    assert tree([*spans, *spans]) == tree(spans)


def test_a_form_says_where_each_span_is():
    """Positions, paths and index values of instances lead back to the captured spans."""
    spans = [span(0, "run", length=900)] + [span(at, "step", 0, attributes={"step": at}) for at in (1, 2, 3)]
    random.Random(0).shuffle(spans)

    form = canonicalize(CapturedRun(spans))

    assert [(path, node.type, node.size) for path, node in form.walk()] == [
        ("run", NodeType.SPAN, 1),
        ("run/step", NodeType.SPAN, 3),
    ]
    node = form.top.children[0].children[0]
    assert [form.span_at(node, at).span_id for at in range(3)] == [f"{at:016x}" for at in (1, 2, 3)]
    assert form.index_of(node, 1) == (("step", 2),)


def test_scopes_and_resources_of_other_hosts_are_equal():
    """What identifies host and process on the resource is not compared."""
    golden = [span(0, "run", resource=Resource({"host.name": "a", "process.pid": 1}), scope=Scope("s"))]
    candidate = [span(0, "run", resource=Resource({"host.name": "b"}), scope=Scope("s"))]

    assert verdict(golden, candidate) == []
    assert verdict(golden, [replace(golden[0], status=StatusCode.ERROR)]) == ["status"]
