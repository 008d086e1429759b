"""Search expressions: what each spelling means, and what is said about the ones that mean nothing."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.errors import SearchSyntaxError
from otel_experiments.model.search import (
    And,
    Arithmetic,
    ArtifactField,
    Calculated,
    Comparison,
    Exists,
    FactField,
    IsNan,
    MetricField,
    Not,
    Or,
    Order,
    ParamField,
    RunField,
    TagField,
)
from otel_experiments.query.search.parser import parse_field, parse_order, parse_search
from otel_experiments.query.search.runs import FACTS, METRIC_STATS, RUN_FIELDS
from otel_experiments.query.search.text import fields_of, format_field, format_search

LR = ParamField("lr")
LOSS = MetricField("loss")
STATE = RunField("state")
NAME = RunField("name")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'metrics["val/acc"].max > 0.9 and params.lr < 1e-3',
            And((Comparison(MetricField("val/acc", "max"), ">", 0.9), Comparison(LR, "<", 1e-3))),
        ),
        ('params["optim.lr"] == 0.1', Comparison(ParamField("optim.lr"), "==", 0.1)),
        ("params.optim.lr == 0.1", Comparison(ParamField("optim.lr"), "==", 0.1)),
        ('params.optim["lr"] == 0.1', Comparison(ParamField("optim.lr"), "==", 0.1)),
        ("metrics.loss <= -0.5", Comparison(LOSS, "<=", -0.5)),
        ("metrics.loss.last <= +2", Comparison(LOSS, "<=", 2)),
        ("metrics.max.max > 1", Comparison(MetricField("max", "max"), ">", 1)),
        (
            'metrics["loss", "validation"].min < 1',
            Comparison(MetricField("loss", "min", "validation"), "<", 1),
        ),
        ("metrics.loss < inf", Comparison(LOSS, "<", math.inf)),
        ("metrics.loss > -inf", Comparison(LOSS, ">", -math.inf)),
        ('tags.team == "x"', Comparison(TagField("team"), "==", "x")),
        ('"x" in tags', Exists(TagField("x"))),
        ('"x" not in tags', Not(Exists(TagField("x")))),
        ('"a.b" in params', Exists(ParamField("a.b"))),
        ('"loss" in metrics', Exists(LOSS)),
        ('state == "failed"', Comparison(STATE, "==", "failed")),
        ("'failed' == state", Comparison(STATE, "==", "failed")),
        ("id == 'ab'", Comparison(RunField("run_id"), "==", "ab")),
        ("duration > 60", Comparison(RunField("duration"), ">", 60)),
        ('git.commit.startswith("ab")', Comparison(FactField("git.commit"), "startswith", "ab")),
        ('environment.python >= "3.11"', Comparison(FactField("environment.python"), ">=", "3.11")),
        ('host == "gpu-1"', Comparison(FactField("host"), "==", "gpu-1")),
        ('key == "job-17"', Comparison(FactField("key"), "==", "job-17")),
        ('command.contains("--lr")', Comparison(FactField("command"), "contains", "--lr")),
        ('artifacts["model"].size > 1e6', Comparison(ArtifactField("model", "size"), ">", 1e6)),
        ('artifacts.best.pt.type == "file"', Comparison(ArtifactField("best.pt", "type"), "==", "file")),
        ('"best" in artifacts["m"].aliases', Comparison(ArtifactField("m", "aliases"), "contains", "best")),
        ('exists(artifacts["model"])', Exists(ArtifactField("model"))),
        ('artifacts.contains("model")', Exists(ArtifactField("model"))),
        ("artifacts.count > 1", Comparison(RunField("artifacts"), ">", 1)),
        ('time > "2026-01-01T00:00:00Z"', Comparison(RunField("created"), ">", 1767225600.0)),
        ("isnan(metrics.loss)", IsNan(LOSS)),
        ("metrics.loss is nan", IsNan(LOSS)),
        ("metrics.loss is not nan", Not(IsNan(LOSS))),
        ("exists(params.lr)", Exists(LR)),
        ("params.lr is None", Comparison(LR, "==", None)),
        ("params.lr != None", Comparison(LR, "!=", None)),
        ('name.contains("x")', Comparison(NAME, "contains", "x")),
        ('"x" in name', Comparison(NAME, "contains", "x")),
        ('"x" not in name', And((Exists(NAME), Not(Comparison(NAME, "contains", "x"))))),
        ("64 in params.layers", Comparison(ParamField("layers"), "contains", 64)),
        ('name.startswith("mlp")', Comparison(NAME, "startswith", "mlp")),
        ('params.opt.endswith("w")', Comparison(ParamField("opt"), "endswith", "w")),
        ('tags.contains("prod")', Exists(TagField("prod"))),
        ("params.layers == [64, 64]", Comparison(ParamField("layers"), "==", (64, 64))),
        ("params.layers != ()", Comparison(ParamField("layers"), "!=", ())),
        (
            "metrics.val_loss.last - metrics.loss.last > 0.1",
            Calculated(Arithmetic("-", MetricField("val_loss"), LOSS), ">", 0.1),
        ),
        ("duration / 60 < 5", Calculated(Arithmetic("/", RunField("duration"), 60), "<", 5)),
        ("5 > duration / 60", Calculated(5, ">", Arithmetic("/", RunField("duration"), 60))),
        ("-metrics.loss > +params.lr", Calculated(Arithmetic("*", -1, LOSS), ">", LR)),
        ("metrics.loss < metrics.val_loss", Calculated(LOSS, "<", MetricField("val_loss"))),
        (
            "params.lr * (2 + params.k) == 1e-3 * 2",
            Calculated(Arithmetic("*", LR, Arithmetic("+", 2, ParamField("k"))), "==", 2e-3),
        ),
        ("duration < 2 * 60 * 60", Comparison(RunField("duration"), "<", 7200)),
        ("params.n == 9223372036854775807 + 1", Comparison(ParamField("n"), "==", float(2**63))),
        (r'name.matches(r"^a\d+$")', Comparison(NAME, "matches", r"^a\d+$")),
        (r'name.matches("^a\d+$")', Comparison(NAME, "matches", r"^a\d+$")),
        ('state in ("failed", "lost")', Comparison(STATE, "in", ("failed", "lost"))),
        ("params.lr not in [0.1, -1]", Comparison(LR, "not in", (0.1, -1))),
        ("0 < params.lr < 1", And((Comparison(LR, ">", 0), Comparison(LR, "<", 1)))),
        ("0.5 == params.lr", Comparison(LR, "==", 0.5)),
        (
            'params.a == 1 or params.b == 2 and params.c == "z"',
            Or(
                (
                    Comparison(ParamField("a"), "==", 1),
                    And((Comparison(ParamField("b"), "==", 2), Comparison(ParamField("c"), "==", "z"))),
                )
            ),
        ),
        (
            "not (params.a == True or exists(tags.b))",
            Not(Or((Comparison(ParamField("a"), "==", True), Exists(TagField("b"))))),
        ),
        ("  exists(params.lr)\n  and\n  metrics.loss < 1", And((Exists(LR), Comparison(LOSS, "<", 1)))),
        ('tags["#"] == "# no comment"', Comparison(TagField("#"), "==", "# no comment")),
        ('params["größe"] == "ü"', Comparison(ParamField("größe"), "==", "ü")),
    ],
)
def test_each_spelling_means_what_it_says(text, expected):
    """Every documented spelling of a search is read into the search tree it stands for."""
    assert parse_search(text) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
        ("2026-01-01T00:00:00+02:00", datetime(2025, 12, 31, 22, tzinfo=UTC).timestamp()),
        ("2026-01-01", datetime(2026, 1, 1).timestamp()),
        ("2026-01-01 18:30", datetime(2026, 1, 1, 18, 30).timestamp()),
    ],
)
def test_dates_become_seconds_and_are_local_without_an_offset(text, seconds):
    """A date compared with a time of the run counts as seconds since the epoch, in local time by default."""
    assert parse_search(f'created > "{text}"') == Comparison(RunField("created"), ">", seconds)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("stat == 'x'", 0, "Did you mean state?"),
        ("params.lr < 1 and lr > 2", 18, "params.lr"),
        ('state == "faild"', 9, "Did you mean 'failed'?"),
        ('state in ("failed", "loost")', 9, "Did you mean 'lost'?"),
        ("metrics.loss.maximum > 1", 0, "Did you mean max?"),
        ("metrics.val.loss > 1", 0, 'metrics["val.loss"]'),
        ("metrics.val/acc > 1", 0, 'metrics["val/acc"]'),
        ("params.learning-rate > 1", 0, 'params["learning-rate"]'),
        ("metrics.val/acc.max > 1", 0, 'metrics["val/acc"].max'),
        ("val/acc > 1", 0, 'metrics["val/acc"] or params["val/acc"]'),
        ("params.a/b.max > 1", 0, 'params["a/b.max"]'),
        ("1 + lr > 2", 4, "params.lr"),
        ("metrics.a % 2 == 1", 0, "There are: + - * and /"),
        ("metrics.a - 'x' > 1", 12, "no number"),
        ("metrics.a - nan > 1", 12, "isnan"),
        ("metrics.a - (1, 2) > 1", 12, "A list"),
        ("metrics.a - name > 1", 12, "is text"),
        ("metrics.a - 1", 0, "alone is not a condition"),
        ("exists(metrics.a - 1)", 7, "A calculation is not a field"),
        ("metrics.a < 1 / 0", 12, "no number"),
        ("metrics.a < 'x' * 2", 12, "Only numbers"),
        (" + ".join(f"metrics.m{i}" for i in range(17)) + " > 1", 0, "more than 16 fields"),
        ("metrics.a" + " + 1" * 150 + " > 1", 0, "nested deeper"),
        ("metrics.a > " + "1 + " * 150 + "1", 12, "nested deeper"),
        ("params.a < [1, 2]", 11, "compares with a list"),
        ("params.a == [[1]]", 13, "a value is expected"),
        ("tags.a == ['x']", 10, "compares with a list"),
        ("name.startswith(1)", 16, "looks for text"),
        ("metrics.a.startswith('x')", 21, "has no .startswith()"),
        ("name.startwith('x')", 0, "Did you mean startswith?"),
        ("tags.contains(prod)", 14, "Put it in quotes"),
        ("tags.contains('')", 0, "not empty"),
        ("time > 3600", 7, "duration"),
        ("git.comit == 'a'", 0, "Did you mean commit?"),
        ("git == 'a'", 0, "git.commit or git.branch"),
        ('artifacts["m"].sise > 1', 0, "Did you mean size?"),
        ("artifacts[''].size > 1", 0, "not empty"),
        ("artifacts.m.aliases == 'best'", 23, ".contains"),
        ("artifacts.m.aliases.matches('best')", 28, ".contains"),
        ("artifacts.m.aliases", 0, ".contains"),
        ("isnan(host)", 6, "never is nan"),
        ("params.lambda > 1", 7, 'params["lambda"]'),
        ("params.lr = 1", 10, "=="),
        ("params.lr = 'a=b'", 10, "=="),
        ("exists(params.a) && exists(params.b)", 17, "Write and"),
        ("exists(params.a) || exists(params.b)", 17, "Write or"),
        ("exists(params.a) AND exists(params.b)", 17, "lower case"),
        ("!exists(params.a)", 0, "Write not"),
        ("name like 'x%'", 5, "contains"),
        ("params.a <> 1", 9, "!="),
        ("(params.a == 1) & (params.b == 2)", 1, "and"),
        ("params.lr", 0, "exists(params.lr)"),
        ("0.5", 0, "not a condition"),
        ("tags.a == tags.b", 0, "is text"),
        ("1 < 2", 0, "Two values"),
        ("metrics.loss == nan", 16, "isnan(metrics.loss)"),
        ("metrics.loss > 'x'", 15, "is a number"),
        ("metrics.loss == True", 16, "Write 1"),
        ("metrics.loss is None", 16, "exists(metrics.loss)"),
        ("metrics.loss.contains('x')", 22, "has no .contains()"),
        ("tags.team == 5", 13, "quotes"),
        ("name.matches('(')", 13, "does not compile"),
        ("name.match('x')", 0, "Did you mean matches?"),
        ("exist(params.a)", 0, "Did you mean exists?"),
        ("exists(params.a, params.b)", 0, "one argument"),
        ("isnan(name)", 6, "never is nan"),
        ("created > 'yesterday'", 10, "not a date"),
        ("created > '9999999-01-01'", 10, "not a date"),
        ("params.a > True", 11, "no order"),
        ("params[0] == 1", 0, "brackets"),
        ('params["a", "b"] == 1', 0, "phase"),
        ('params[""] == 1', 0, "empty"),
        ("metrics == 1", 0, "needs a name"),
        ("name.x == 'a'", 0, "has no parts"),
        ("params.a in 5", 12, "list"),
        ("5 in (5, 6)", 0, "a field is expected"),
        ("params.a == f'{x}'", 12, "f-string"),
        ("params.a == -'x'", 12, "sign"),
        ("params.a == 1j", 12, "value"),
        ("params.a == b'x'", 12, "value"),
        ("params.a == 1 # and more", 14, "comment"),
        ("params.a == 1 or", 16, "cannot be read"),
        ("params.a == '\0'", 13, "cannot stand"),
        ("params.a == '\ud800'", 13, "cannot stand"),
        ("params.größe == 1 and lr > 2", 22, "params.lr"),
        ("__import__('os')", 0, "There is no function '__import__'"),
        ("__import__('os').system('x')", 0, "a field is expected"),
        ("(lambda: 1)() == 1", 0, "a field is expected"),
        ("[x for x in y] == 1", 0, "a field is expected"),
        ("not " * 150 + "exists(params.a)", 404, "nested deeper"),
        ("(" * 250 + "1" + ")" * 250, 200, "cannot be read"),
        ("params.a == " + "9" * 5000, 5012, "cannot be read"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_text_that_means_nothing_is_refused_at_its_column_with_a_hint(text, column, message):
    """Every mistake is answered with an error that points at it and says what to write instead."""
    with pytest.raises(SearchSyntaxError) as caught:
        parse_search(text)

    assert message in str(caught.value)
    assert caught.value.column == column


def test_the_error_shows_the_expression_with_a_mark_under_the_mistake():
    """The text of the error has the expression and, below it, a caret under the offending column."""
    with pytest.raises(SearchSyntaxError) as caught:
        parse_search('params.lr < 1 and stat == "failed"')

    assert str(caught.value).splitlines()[1:3] == [
        '  params.lr < 1 and stat == "failed"',
        "                    ^",
    ]


def test_too_many_conditions_are_refused_but_a_long_list_is_not():
    """A search with more conditions than SQLite can nest is refused; a list of values may be long."""
    many = " or ".join(f"params.a == {i}" for i in range(501))
    listed = "params.a in (" + ", ".join(map(str, range(5000))) + ")"

    with pytest.raises(SearchSyntaxError, match="more than 500 conditions"):
        parse_search(many)
    assert parse_search(listed) == Comparison(ParamField("a"), "in", tuple(range(5000)))


def test_a_text_beyond_the_limit_is_refused_without_being_repeated_whole():
    """An expression of megabytes is refused quickly and the error stays short."""
    with pytest.raises(SearchSyntaxError, match="100000 is the limit") as caught:
        parse_search("params.a == 1 or " * 100_000)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.lr", (Order(LR),)),
        ("-metrics.loss.min", (Order(MetricField("loss", "min"), is_descending=True),)),
        ("-metrics.loss, name", (Order(LOSS, is_descending=True), Order(NAME))),
        (["-created", "name"], (Order(RunField("created"), is_descending=True), Order(NAME))),
        ([], ()),
    ],
)
def test_orders_are_fields_with_an_optional_minus(text, expected):
    """A sort key is a field; a minus before it turns the order round; several are joined by commas."""
    assert parse_order(text) == expected


@pytest.mark.parametrize("text", ["metrics.loss desc", "loss", "--name", "1", "", "metrics.loss > 1"])
def test_an_order_that_is_no_field_is_refused(text):
    """A sort key that is not a field is an error of ours."""
    with pytest.raises(SearchSyntaxError):
        parse_order(text)


# --- properties ----------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False)
metric_fields = st.builds(MetricField, texts, st.sampled_from(METRIC_STATS), st.none() | st.just("") | texts)
number_fields = (
    metric_fields
    | st.builds(ArtifactField, texts, st.just("size"))
    | st.sampled_from([RunField("duration"), RunField("attempt")])
)
text_fields = (
    st.builds(TagField, texts)
    | st.builds(FactField, st.sampled_from(FACTS))
    | st.sampled_from([RunField("name"), RunField("group")])
)
param_fields = st.builds(ParamField, texts)
fields = number_fields | text_fields | param_fields
orderings = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
memberships = st.sampled_from(["in", "not in"])
scalars = numbers | texts
signs = st.sampled_from(["+", "-", "*", "/"])
calculations = st.recursive(
    st.builds(Arithmetic, signs, number_fields | param_fields, number_fields | numbers),
    lambda inner: st.builds(Arithmetic, signs, inner | numbers, inner),
    max_leaves=4,
)
conditions = (
    st.builds(Comparison, number_fields, orderings, numbers)
    | st.builds(Comparison, text_fields, orderings, texts)
    | st.builds(Comparison, param_fields, orderings, scalars)
    | st.builds(Comparison, param_fields, st.sampled_from(["==", "!="]), st.booleans() | st.none())
    | st.builds(Comparison, param_fields, memberships, st.lists(scalars, max_size=3).map(tuple))
    | st.builds(
        Comparison, param_fields, st.sampled_from(["==", "!="]), st.lists(scalars, max_size=3).map(tuple)
    )
    | st.builds(Comparison, text_fields, st.sampled_from(["contains", "startswith", "endswith"]), texts)
    | st.builds(Calculated, calculations, orderings, calculations | numbers)
    | st.builds(Comparison, text_fields, st.just("matches"), st.sampled_from(["^a.*", r"\bx\b", "[ü]"]))
    | st.builds(IsNan, number_fields)
    | st.builds(Exists, fields)
)
expressions = st.recursive(
    conditions,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@given(expressions)
def test_printing_and_reading_a_search_changes_nothing(expression):
    """A search printed as text reads back as the same search."""
    assert parse_search(format_search(expression)) == expression


@given(fields, st.booleans())
def test_printing_and_reading_an_order_changes_nothing(field, is_descending):
    """A sort key printed as text reads back as the same sort key."""
    order = Order(field, is_descending=is_descending)

    assert parse_order(("-" if is_descending else "") + format_field(field)) == (order,)


@given(expressions)
def test_the_fields_of_a_search_are_those_that_its_text_names(expression):
    """Every field that a search looks at is listed, and reads back from its own text."""
    found = list(fields_of(expression))

    assert found
    assert all(parse_field(format_field(field)) == field for field in found)


def column_of_error(parse, text):
    """Return where the text is refused; 0 when it is not."""
    try:
        parse(text)
    except SearchSyntaxError as error:
        return error.column
    return 0


pieces = st.sampled_from(
    [
        "params", "metrics", "tags", ".", "[", "]", "(", ")", '"', "'", "lr", "loss", "min", "==", "<", ">", "in", "is",
        "not", "and", "or", "nan", "inf", "None", "True", "isnan", "exists", "contains", "matches", ",", "-", "1", "0.5",
        " ", "\n", "#", "\\", "state", "name", "*", "**", ":=", "lambda", "if", "else", "{", "}", ":", "f'", "ü", "😀",
        "\x0c", "\t", "1e999", "0x", "@", "await", "yield", *RUN_FIELDS,
    ]
)  # fmt: skip


@given(
    st.text(max_size=60)
    | st.lists(pieces, max_size=25).map("".join)
    | st.lists(pieces, max_size=25).map(" ".join)
)
def test_only_our_own_error_ever_escapes_whatever_the_text(text):
    """Any text at all is either a search or a SearchSyntaxError whose column lies within the text."""
    columns = [column_of_error(parse, text) for parse in (parse_search, parse_order, parse_field)]

    assert all(0 <= column <= len(text) for column in columns)


@given(expressions, st.data())
def test_only_our_own_error_escapes_from_a_search_with_one_character_changed(expression, data):
    """A right search with a wrong character is a search or a SearchSyntaxError, never anything else."""
    text = format_search(expression)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters() | st.just("")) + text[at + 1 :]

    assert 0 <= column_of_error(parse_search, changed) <= len(changed)


def test_every_field_of_a_run_can_be_named():
    """The run's own fields are all known by their names."""
    assert [parse_field(name) for name in RUN_FIELDS] == [RunField(name) for name in RUN_FIELDS]
