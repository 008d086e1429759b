"""What people type first is understood, or answered with what to type instead."""

import re

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.cli.root import root
from otel_experiments.errors import SearchSyntaxError, SearchWarning
from otel_experiments.model.batch import MetricDefinition, ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader, parse_search
from otel_experiments.query.natural import natural_key
from otel_experiments.query.search.told import guessed_direction
from otel_experiments.store import open_store


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("ui", "no view in a browser yet"),
        ("dashboard", "no view in a browser yet"),
        ("cmp", "golden compare"),
        ("follow", "otel-experiments tail RUN"),
        ("watch", "otel-experiments runs --watch"),
        ("logs", "show RUN"),
        ("delete", "otel-experiments rm RUN"),
        ("edit", "otel-experiments tag RUN"),
        ("finished", "--where"),
        ("list", "otel-experiments runs"),
        ("ls", "otel-experiments runs"),
        ("plot", "metrics RUN"),
        ("init", "nothing to set up"),
        ("login", "nothing to set up"),
        ("experiments", "select name from experiments"),
        ("rnus", "Did you mean: otel-experiments runs"),
        ("Metrics", "Did you mean: otel-experiments metrics"),
        ("shwo", "Did you mean: otel-experiments show"),
        ("nonsense", ""),
    ],
)
def test_a_command_of_another_tool_is_answered_with_what_does_it_here(terminal, typed, hint):
    """The exit code is that of a usage error, and the text has the command to type, or says that there is none yet."""
    result = terminal.run(typed)

    assert result.exit_code == 2
    assert f"No such command '{typed}'." in result.stderr
    assert " ".join(hint.split()) in " ".join(result.stderr.split())


@pytest.mark.parametrize("command", ["runs", "ab", "spans", "traces"])
def test_a_search_without_its_option_is_answered_with_the_option(terminal, command):
    """`runs 'params.lr > 1'` is what people type first, and the text says where the search goes."""
    result = terminal.run(command, "metrics.loss", "params.lr > 1", "one more")

    assert result.exit_code == 2
    assert f"A search has an option: otel-experiments {command} --where EXPRESSION" in result.stderr


def test_a_word_too_many_for_a_command_without_a_search_is_told_as_ever(terminal):
    """A command that searches nothing names no option that it does not have."""
    result = terminal.run("diff", "a", "b", "c")

    assert result.exit_code == 2
    assert "unexpected extra argument" in result.stderr
    assert "--where" not in result.stderr


def test_a_tag_without_a_run_is_told_as_what_it_is_taken_for(terminal):
    """`tag RUN` alone gives the name of the run back as the tag, with what is missing."""
    result = terminal.run("tag", "baseline")

    assert result.exit_code == 2
    assert (
        "'baseline' is taken for the tag, and no run is named: otel-experiments tag RUN KEY[=VALUE]"
        in result.stderr
    )


def test_a_hint_ends_where_its_sentence_ends(terminal):
    """No space follows on the last line of an error of a search."""
    result = terminal.run("runs", "--where", "stat == 'failed'")

    assert result.exit_code == 5
    assert result.stderr.endswith("Did you mean state?\n")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("check", "golden compare NAME"),
        ("create", "golden capture NAME"),
        ("accept", "golden review"),
        ("list", "golden ls"),
        ("delete", "golden prune"),
        ("lst", "Did you mean: otel-experiments golden ls"),
        ("Capture", "Did you mean: otel-experiments golden capture"),
        ("xyzzy", ""),
    ],
)
def test_a_command_that_golden_has_not_is_answered_with_one_that_it_has(terminal, typed, hint):
    """The exit code is that of a usage error of `golden`, and the text has the command to type."""
    result = terminal.run("golden", typed, "base")

    assert result.exit_code == 5
    assert f"No such command '{typed}'." in result.stderr
    assert " ".join(hint.split()) in " ".join(result.stderr.split())


def test_every_command_of_golden_that_a_hint_names_is_there():
    """Hints send nobody to another command that there is not."""
    from otel_experiments.cli.golden.group import _COMMANDS
    from otel_experiments.cli.other_words import _GOLDEN_ELSEWHERE

    named = {
        word for here in _GOLDEN_ELSEWHERE for word in re.findall(r"otel-experiments golden (\w+)", here)
    }

    assert named <= set(_COMMANDS)
    assert not {word for words in _GOLDEN_ELSEWHERE.values() for word in words.split()} & set(_COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["golden"]], ids=["root", "golden"])
def test_a_group_without_a_command_prints_its_help(terminal, arguments):
    """The commands are listed line by line, and it is no error text."""
    result = terminal.run(*arguments)

    assert "Commands:\n" in result.output
    assert "\\n" not in result.output
    assert "Error" not in result.output


def test_every_command_that_a_hint_names_is_there(terminal):
    """Hints send nobody to another command that there is not."""
    from otel_experiments.cli.other_words import _ELSEWHERE
    from otel_experiments.cli.root import _COMMANDS

    named = {word for here in _ELSEWHERE for word in re.findall(r"otel-experiments (\w+)", here)}

    assert named <= set(_COMMANDS)
    assert not {word for words in _ELSEWHERE.values() for word in words.split()} & set(_COMMANDS)


@pytest.mark.parametrize(
    ("where", "same_as"),
    [
        ("config.lr > 1", "params.lr > 1"),
        ("config.optim.lr > 1", "params.optim.lr > 1"),
        ('config["weight decay"] == 0', 'params["weight decay"] == 0'),
        ('"lr" in config', '"lr" in params'),
        ('"lr" not in config', '"lr" not in params'),
        ("exists(config.lr)", "exists(params.lr)"),
    ],
)
def test_config_is_another_word_for_params(where, same_as):
    """What a run was given as `config=` is found under that word too."""
    assert parse_search(where) == parse_search(same_as)


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        *(
            (f'state == "{word}"', f"Did you mean '{state}'?")
            for word, state in {
                "finished": "succeeded", "done": "succeeded", "completed": "succeeded", "COMPLETED": "succeeded",
                "success": "succeeded", "crashed": "failed", "error": "failed", "killed": "cancelled",
                "canceled": "cancelled", "stopped": "cancelled", "queued": "pending", "active": "running",
                "dead": "lost", "faild": "failed",
            }.items()
        ),
        ("hparams.lr > 1", "Here it is called params."),
        ("history.loss > 1", "Here it is called metrics."),
        ('status == "failed"', "Here it is called state."),
        ("config > 1", "Write params.x"),
        ("lr > 1", "Write params.lr"),
    ],
)  # fmt: skip
def test_a_word_of_another_tool_in_a_search_is_answered_with_ours(where, hint):
    """The error has the word that is understood."""
    with pytest.raises(SearchSyntaxError) as caught:
        parse_search(where)

    assert hint in str(caught.value)


@pytest.fixture
def undirected(tmp_path):
    """Return the path of a store whose metrics have no direction, but for one."""
    path = tmp_path / "x.db"
    ids = ["a" * 32, "b" * 32, "c" * 32]
    names = ["acc", "val/loss", "xyz", "m1", "m2", "m10", "told"]
    with open_store(path) as store:
        batch = WriteBatch(
            runs=[Run(one, "e", f"run-{one[0]}", RunState.SUCCEEDED, i, i, i) for i, one in enumerate(ids)],
            params=[
                ParamSet(one, key, 0.1 * i, 1) for i, one in enumerate(ids) for key in ("lr", "optim.beta")
            ],
            metric_definitions=[MetricDefinition(one, "told", "max") for one in ids],
        )
        for i, one in enumerate(ids):
            for name in names:
                values = [float(i), float(i + 1)]
                batch.points.append(PointBlock(one, (SeriesKey(name),), [0.0, 1.0], [1, 2], (values,)))
        batch.points.append(PointBlock(ids[0], (SeriesKey("rare"),), [0.0], [1], ([1.0],)))
        store.apply(batch)
    return path


SAID = [
    # order, where, the names that come, what is said
    ("-metrics.acc.best", None, "cba", "by its name metrics.acc.max is taken for metrics.acc.best"),
    ("metrics['val/loss'].best", None, "abc", 'taken for metrics["val/loss"].best'),
    ("-metrics.acc.best_step", None, "cba", "metrics.acc.max_step is taken"),
    ("metrics.xyz.best", None, "cba", "Ask for metrics.xyz.min or metrics.xyz.max"),
    ("-metrics.told.best", None, "cba", None),
    ("-metrics.acc.max", None, "cba", None),
    ("-metrics.acc.max, metrics.rare", None, "cba", None),  # the first run has none of it
    ("params.LR", None, "cba", "Did you mean params.lr?"),
    ("params.beta", None, "cba", "Did you mean params.optim.beta?"),
    ("params.BETA", None, "cba", "Did you mean params.optim.beta?"),
    ("metrics.lr", None, "cba", "Did you mean params.lr?"),
    ("-metrics.los.min", None, "cba", "No run has metrics.los.min: that sort key changes nothing"),
    ("tags.team", None, "cba", "No run has tags.team"),
    ("name, params.nothing", None, "abc", "No run has params.nothing"),
    ("reason", None, "cba", "No run has reason"),
    ("ended", None, "abc", None),
    (None, "params.LR > 0", "", "Did you mean params.lr?"),
    (None, "config.LR > 0", "", "Did you mean params.lr?"),
    (None, "metrics.Acc > 0", "", "Did you mean metrics.acc?"),
    (None, "metrics.acc.best > 2.5", "c", "metrics.acc.max is taken for metrics.acc.best"),
    (None, "metrics.xyz.best > 0", "", "Ask for metrics.xyz.min or metrics.xyz.max"),
    (None, "metrics.xyz.best_step > 0", "", "Ask for metrics.xyz.min_step or metrics.xyz.max_step"),
    (None, "params.lr > 1e9", "", None),
    (None, "not exists(params.nothing)", "cba", None),
    (None, "params.nothing == 1 and state == 'failed'", "", "No run has params.nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("order", "where", "expected", "said"), SAID)
def test_a_search_says_what_it_could_not_do_as_asked(undirected, recwarn, order, where, expected, said):
    """Keys that no run has, and guessed directions, are warned of in Python, once each; all else is silent."""
    with open_reader(undirected) as reader:
        found = reader.runs(where, order=order)

    assert "".join(run.name[-1] for run in found) == expected
    texts = [str(one.message) for one in recwarn if one.category is SearchWarning]
    assert len(texts) == (said is not None), texts
    assert said is None or said in texts[0]
    assert {one.filename for one in recwarn} <= {__file__}


BARE = [
    ("lsos", "metrics.loss"),
    ("loss", "metrics.loss"),
    ("acc", "metrics.acc"),
    ("lr", "params.lr"),
    ("nmae", "name"),
    ("xyzzy", None),
    ("status", "state"),
]


@pytest.mark.parametrize(("name", "expected"), BARE)
@pytest.mark.parametrize("arguments", [["--sort"], ["--where"], ["--columns"]])
def test_a_misspelt_bare_name_gets_the_closest_field(tmp_path, name, expected, arguments):
    """`--sort lsos`, a search and a choice of columns by it name the metric, param or field that is most like it."""
    path = tmp_path / "x.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    with ox.start_run("first", config={"lr": 0.1}) as run:
        run.log({"loss": 0.5, "acc": 1.0}, step=1)
    ox.shutdown()

    text = f"{name} > 1" if arguments == ["--where"] else name
    result = CliRunner().invoke(root, ["--store", str(path), "runs", *arguments, text])

    assert result.exit_code == 5
    assert f"There is no field {name!r}." in result.stderr
    if expected is None:
        assert "Did you mean" not in result.stderr
    else:
        assert f"{'Here it is called' if name == 'status' else 'Did you mean'} {expected}" in result.stderr


@pytest.mark.parametrize("option", ["--order", "--sort"])
@pytest.mark.parametrize(("order", "where", "expected", "said"), SAID)
def test_the_command_says_the_same(terminal, undirected, order, where, expected, said, option):
    """`runs --sort` and `--where` print it on stderr, and the runs on stdout; the exit code stays 0."""
    terminal.store = undirected
    arguments = [*([option, order] if order else []), *(["--where", where] if where else [])]

    result = terminal.run("runs", *arguments)

    assert result.exit_code == 0
    assert "".join(re.findall(r"run-(\w)", result.stdout)) == expected
    assert (said or "") in result.stderr
    assert result.stderr.count("warning:") == (said is not None)


def test_a_column_that_no_run_has_is_said(terminal, undirected):
    """A misspelt column is not only a column of dashes."""
    terminal.store = undirected

    result = terminal.run("runs", "--columns", "params.lr, metrics.accc.max")

    assert "Did you mean metrics.acc.max?" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("loss", "min"), ("train/loss", "min"), ("valLoss", "min"), ("val_loss", "min"), ("error_rate", "min"),
        ("perplexity", "min"), ("eval.wer", "min"), ("acc", "max"), ("val/accuracy", "max"), ("F1", "max"),
        ("roc-auc", "max"), ("BLEU", "max"), ("top5", "max"), ("reward/mean", "max"), ("accuracy_loss", None),
        ("glossary", None), ("lr", None), ("epoch", None), ("x", None), ("", None), ("accelerate", None),
    ],
)  # fmt: skip
def test_the_direction_is_guessed_by_whole_words(metric, direction):
    """Well-known words tell which way is better; two that disagree, and parts of words, tell nothing."""
    assert guessed_direction(metric) == direction


def test_names_come_in_the_order_in_which_a_person_counts(terminal, undirected):
    """m2 stands before m10: in Python, in tables, in exports; steps are whole numbers where they are whole."""
    terminal.store = undirected
    with open_reader(undirected) as reader:
        metrics = reader.run("run-a").metrics

        assert [name for name in metrics if name.startswith("m")] == ["m1", "m2", "m10"]
        steps = [
            metrics["m1"].last_step,
            metrics["m1"].max_step,
            metrics["told"].best_step,
            metrics["m1"].first_step,
        ]
        assert repr(steps) == "[1, 1, 1, 0]"
    assert re.findall(r"^m\d+", terminal.text("metrics", "run-a"), re.MULTILINE) == ["m1", "m2", "m10"]
    header = terminal.run("export", "runs").stdout.splitlines()[0]
    assert re.findall(r"metrics\.(m\d+)\.last,", header) == ["m1", "m2", "m10"]


def test_a_step_between_two_whole_ones_stays_one():
    """Steps may be fractions and may be NaN; only whole ones become integers."""
    store = open_store("memory://")
    steps = [0.5, float("nan")]
    points = PointBlock("a" * 32, (SeriesKey("loss"),), steps, [1, 2], ([2.0, 1.0],))
    store.apply(WriteBatch(runs=[Run("a" * 32, "e", "r", RunState.SUCCEEDED, 1)], points=[points]))

    with Reader(store) as reader:
        series = reader.run("r").metrics["loss"]

    assert series.first_step == 0.5
    assert series.last_step != series.last_step


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["m10", "m2", "m1"], ["m1", "m2", "m10"]),
        (["a2b10", "a2b9", "a10b1"], ["a2b9", "a2b10", "a10b1"]),
        (["x01", "x1", "x001"], ["x001", "x01", "x1"]),
        (["10", "9", "", "a"], ["", "9", "10", "a"]),
        (["layer.1.w", "layer.12.w", "layer.2.w"], ["layer.1.w", "layer.2.w", "layer.12.w"]),
    ],
)
def test_numbers_in_names_sort_as_numbers(names, ordered):
    """Wherever the number stands in the name."""
    assert sorted(names, key=natural_key) == ordered


def test_a_search_without_an_answer_names_what_was_asked(terminal):
    """The text has the condition, the store and how many runs there are."""
    assert terminal.text("runs", "--where", "params.optim.lr > 100") == (
        f"No run matches params.optim.lr > 100 (6 runs in {str(terminal.store)!r}).\n"
    )
    assert "No run matches name == \"x\" and experiment 'digits' (6 runs" in terminal.text(
        "runs", "--where", 'name == "x"', "--experiment", "digits"
    )
    assert "6 of 6 runs" in terminal.text("runs", "--offset", "60")
