"""The exceptions: one tree, each with a text that helps, each documented."""

import ast
import inspect
import pickle
import re
from pathlib import Path

import pytest

import otel_experiments
from otel_experiments import errors

ROOT = Path(otel_experiments.__file__).parent.parent
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.OtelExperimentsError)
}

TEXTS = {
    "AgentToolNotFoundError": (
        {"kind": "tool", "wanted": "delete", "known": ["search_runs", "show_run"]},
        "There is no tool 'delete' in this server of otel-experiments.\n  It has search_runs, show_run.",
    ),
    "AgentArgumentError": (
        {"tool": "show_run", "argument": "run", "found": "is missing", "fix": "Give run as a text: its id."},
        "The tool show_run cannot be called so: 'run' is missing.\n  Give run as a text: its id.",
    ),
    "AgentToolStoppedError": (
        {"tool": "query_sql", "why": "it took longer than the 30 s that a call may take"},
        (
            "The tool query_sql was stopped without an answer: it took longer than the 30 s that a call may take.\n"
            "  Ask for less: fewer runs, a where that an index answers, an SQL statement with conditions, a simpler pattern."
        ),
    ),
    "AgentAnswerTooLargeError": (
        {"tool": "query_sql", "size_chars": 50_000, "most_chars": 40_000},
        (
            "The answer of query_sql is too large: 50,000 characters in JSON, of which 40,000 are allowed.\n"
            "  Ask for less: a smaller limit, fewer columns, one part."
        ),
    ),
    "AnalysisError": (
        {
            "what": "Values that are not finite cannot be tested",
            "found": "1 of 2 are NaN",
            "fix": "Leave them out.",
        },
        "Values that are not finite cannot be tested: 1 of 2 are NaN.\n  Leave them out.",
    ),
    "PriceTableError": (
        {"source": "model gpt-4", "found": "no price of output tokens"},
        (
            "The price table cannot be used, for model gpt-4: no price of output tokens.\n"
            '  Give what a million tokens cost: {"gpt-4": {"input": 30, "output": 60}}.'
        ),
    ),
    "RunEditError": (
        {"run": "base", "action": "removed", "why": "it is running", "fix": "Wait for its end."},
        "The run 'base' cannot be removed: it is running.\n  Wait for its end.",
    ),
    "RunRemovedError": (
        {"run": "base", "run_id": "0af1" * 8, "store": "x.db"},
        (
            "The run 'base' in store 'x.db' was removed, and is hidden.\n"
            "  Bring it back: otel-experiments restore 0af10af10af1 --store x.db"
        ),
    ),
    "ExperimentMetadataError": (
        {"field": "epoch", "wanted": "an integer", "found": "'five'"},
        (
            "The field 'epoch' of the experiment metadata cannot be used: an integer was expected, 'five' was found.\n"
            '  A whole one: {"model_name": "resnet", "epoch": 5, "step": 100, "loss": 0.1, "metrics": {"acc": 0.9}}'
        ),
    ),
    "InvalidNameError": (
        {"kind": "run name", "name": "../x", "why": "it holds '..'", "fix": "Leave the dots out."},
        "The run name '../x' cannot be used: it holds '..'.\n  Leave the dots out.",
    ),
    "RecordingError": (
        {
            "kind": "metric value",
            "name": "note",
            "what": "The value of metric 'note' is not a number: 'warm'.",
        },
        (
            "The value of metric 'note' is not a number: 'warm'. (metric value)\n"
            '  Correct the call, or let recording count and report it: configure(on_error="log"), the default.'
        ),
    ),
    "MediaNotFoundError": (
        {
            "run": "0af1",
            "wanted": "'img' at step 7",
            "found": "the nearest steps are 5, 10",
            "fix": "Take one of them.",
        },
        "Run 0af1 has no media 'img' at step 7: the nearest steps are 5, 10.\n  Take one of them.",
    ),
    "MediaRefusedError": (
        {"why": "an array of shape (5, 6, 7) is no picture; pass height x width"},
        "The value cannot be kept as media: an array of shape (5, 6, 7) is no picture; pass height x width.",
    ),
    "MediaUnreadableError": (
        {"name": "img", "type": "image/png", "found": "these bytes are no PNG"},
        (
            "The media 'img' of type image/png cannot be read as what it was: these bytes are no PNG.\n"
            "  item.read_bytes() has its bytes as they were logged, item.download(PATH) writes them to a file."
        ),
    ),
    "MissingPackageError": (
        {"package": "numpy", "purpose": "series.numpy()", "extra": "demo"},
        (
            "series.numpy() needs the package 'numpy', which is not installed.\n"
            "  Install it: pip install 'otel-experiments[demo]'"
        ),
    ),
    "MappingFileError": (
        {
            "path": "runs.db.mapping.toml",
            "problems": ["line 2, [step]: found 3.", "line 9, [[emitter]] 1: no name."],
        },
        (
            "The mapping 'runs.db.mapping.toml' cannot be used: 2 problems.\n"
            "  line 2, [step]: found 3.\n"
            "  line 9, [[emitter]] 1: no name.\n"
            "  Correct it, or remove it: then the mappings that are built in are used alone."
        ),
    ),
    "RunInUseError": (
        {"run_id": "3f2a" * 8, "name": "resnet", "pid": 7, "host": "box"},
        (
            "Run 3f2a3f2a ('resnet') cannot be resumed: process 7 on box still records it.\n"
            "  Wait until it ends, end it, or join it: pass on what run.environment() returns there."
        ),
    ),
    "RunNotFoundError": (
        {"wanted": "resnet-7", "store": "runs.db", "known": ["a", "b", "c", "d"], "suggestions": ["a", "b"]},
        (
            "No run 'resnet-7' in store 'runs.db' (4 runs: a, b, c, ...).\n"
            "  Did you mean 'a' or 'b'? List them with: otel-experiments runs --store runs.db"
        ),
    ),
    "ModelRunNotFoundError": (
        {"model": "m.pt", "store": "runs.db", "why": "m.pt.otel-experiments.json is not there"},
        (
            "No run in store 'runs.db' made the model 'm.pt': m.pt.otel-experiments.json is not there.\n"
            "  Name the store that has the run: run_of(path, store=STORE). A model is tied to its run by run.link_model(path)"
        ),
    ),
    "AmbiguousRunError": (
        {"wanted": "3f", "store": "runs.db", "matches": ["3f01", "3f02"]},
        "'3f' names 2 runs in store 'runs.db': 3f01, 3f02.\n  Write an id, or more of its digits: 3f01",
    ),
    "ExperimentNotFoundError": (
        {"wanted": "mnsit", "store": "runs.db", "known": ["mnist"], "suggestion": "mnist"},
        (
            "No experiment 'mnsit' in store 'runs.db' (1 experiment: mnist).\n"
            "  Did you mean 'mnist'? List all runs with: otel-experiments runs --store runs.db"
        ),
    ),
    "ParamNotFoundError": (
        {"run": "3f2a", "key": "optim.l", "known": ["optim.lr", "seed"], "suggestion": "optim.lr"},
        (
            "Run '3f2a' has no param 'optim.l' (it has 2: optim.lr, seed).\n"
            "  Did you mean 'optim.lr'? Its params by their dotted keys: run.params.flat"
        ),
    ),
    "MetricNotFoundError": (
        {"run": "3f2a", "name": "los", "known": ["loss", "acc"], "suggestion": "loss"},
        (
            "Run '3f2a' has no metric 'los' (it has 2: loss, acc).\n"
            "  Did you mean 'loss'? List them with: otel-experiments metrics 3f2a"
        ),
    ),
    "NoActiveRunError": (
        {"action": "log()", "active": ["a", "b"]},
        (
            "log() needs one current run, but 2 are active in this process: a, b.\n"
            "  Call the method of the run that is meant: run.log(...)."
        ),
    ),
    "TrialError": (
        {
            "trial": 3,
            "found": "its worker process ended before it did, with signal 9",
            "fix": "Run it alone.",
        },
        (
            "Trial 3 of the sweep failed: its worker process ended before it did, with signal 9.\n"
            "  Run it alone."
        ),
    ),
    "IllegalTransitionError": (
        {"run_id": "3f" * 16, "current": "failed", "requested": "running", "allowed": []},
        "Run 3f3f3f3f is 'failed' and cannot become 'running'.\n  'failed' is final.",
    ),
    "StoreNotFoundError": (
        {"path": "runs.db"},
        (
            "No store at 'runs.db'.\n  Record a run first (otel-experiments demo makes some), "
            "or name another store: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        ),
    ),
    "StoreIncompleteError": (
        {"path": "runs.db"},
        (
            "'runs.db' holds no runs by itself: it was copied while a process recorded, or after it was killed, and "
            "what was recorded lies in runs.db-wal and runs.db.journals, which are not beside it.\n"
            "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
        ),
    ),
    "StorePathError": (
        {"path": "runs", "why": "it is a directory", "fix": "Name a file in it: runs/experiments.db"},
        "The store 'runs' cannot be used: it is a directory.\n  Name a file in it: runs/experiments.db",
    ),
    "NotAStoreError": (
        {"path": "a.png", "found": "a PNG picture"},
        (
            "'a.png' is not an otel-experiments store: a PNG picture. The file was left as it is.\n"
            "  Name another path: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        ),
    ),
    "NewerSchemaError": (
        {"path": "runs.db", "found": 9, "supported": 1},
        (
            "Store 'runs.db' has schema version 9; this release reads up to 1. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        ),
    ),
    "StoreLockedError": (
        {"path": "runs.db", "waited_s": 10.0},
        (
            "Store 'runs.db' was locked by another process for 10 s.\n"
            "  Nothing is lost: recorded data waits in the journals beside it. Find the holder: fuser runs.db"
        ),
    ),
    "StoreFailedError": (
        {"path": "mine://box", "why": "its apply() raised ConnectionResetError: gone"},
        (
            "Store 'mine://box' does not do what it was asked: its apply() raised ConnectionResetError: gone.\n"
            "  Try again when it works. What programs have recorded for it waits in their journals, and is stored then: nothing of it is lost."
        ),
    ),
    "StoreFullError": (
        {"path": "runs.db", "why": "no space left on device"},
        (
            "Store 'runs.db' takes nothing now: no space left on device. Nothing of the batch was written, nothing "
            "older is harmed.\n"
            "  Free some space, and try again; what waits in the journals beside the store is written then."
        ),
    ),
    "StoreDamagedError": (
        {"path": "runs.db", "found": "page 3 is torn"},
        (
            "Store 'runs.db' cannot be read or written: page 3 is torn. It was left as it is.\n"
            "  Copy it away, then save what can be read: sqlite3 COPY .recover | sqlite3 runs.db"
        ),
    ),
    "StoreClosedError": (
        {"path": "runs.db"},
        "The store 'runs.db' is closed.\n  Open it again: open_store('runs.db')",
    ),
    "BundleReadOnlyError": (
        {"path": "runs.oxb"},
        (
            "'runs.oxb' is a bundle, which is only read: nothing can be recorded into it or changed in it.\n"
            "  Take its runs into a store, and go on there: otel-experiments import runs.oxb --store experiments.db"
        ),
    ),
    "NewerBundleError": (
        {"path": "runs.oxb", "found": 2, "supported": 1},
        (
            "Bundle 'runs.oxb' has format version 2; this release reads up to 1. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        ),
    ),
    "StoreReadOnlyError": (
        {"path": "runs.db", "action": "take a run"},
        (
            "Store 'runs.db' is open for reading only and cannot take a run.\n"
            "  Open it for writing: open_store('runs.db'), as a user who may write the file and its folder."
        ),
    ),
    "StoreForkedError": (
        {"path": "runs.db"},
        (
            "Store 'runs.db' was in use in the parent process when this process was forked, so its locks cannot "
            "be trusted here.\n"
            "  Fork before the store is opened, or start the process with the spawn method."
        ),
    ),
    "ArtifactNotFoundError": (
        {
            "wanted": "model:bets",
            "store": "runs.db",
            "found": "2 versions, aliases best, latest",
            "suggestions": ["model:best"],
        },
        (
            "No artifact 'model:bets' in store 'runs.db' (2 versions, aliases best, latest).\n"
            "  Did you mean 'model:best'? List them with: otel-experiments artifacts --store runs.db"
        ),
    ),
    "ArtifactMissingError": (
        {"digest": "sha256:ab12", "place": "runs.db.artifacts"},
        (
            "The bytes of artifact sha256:ab12 are missing in 'runs.db.artifacts': it is not there.\n"
            "  If the store was copied, copy the folder of its artifacts as well: it lies beside the store's file."
        ),
    ),
    "AmbiguousArtifactError": (
        {"wanted": "model", "store": "runs.db", "matches": ["digits/model", "letters/model"]},
        (
            "'model' names 2 artifacts in store 'runs.db': digits/model, letters/model.\n"
            "  Write one of them: digits/model"
        ),
    ),
    "ArtifactAliasError": (
        {
            "alias": "latest",
            "name": "model",
            "why": "it moves by itself",
            "fix": 'Choose another, such as "best".',
        },
        (
            "'latest' cannot be an alias of artifact 'model': it moves by itself.\n"
            '  Choose another, such as "best".'
        ),
    ),
    "ArtifactDamagedError": (
        {"digest": "sha256:ab12", "path": "runs.db.artifacts/sha256/ab/ab12", "found": "other bytes"},
        (
            "The bytes of artifact sha256:ab12 are damaged: runs.db.artifacts/sha256/ab/ab12 has other bytes.\n"
            "  Log the same bytes again, or put back a copy of that file; do not use what was read."
        ),
    ),
    "ArtifactSourceError": (
        {"source": "pipe", "why": "it is a named pipe"},
        (
            "'pipe' cannot be kept as an artifact: it is a named pipe.\n"
            "  Give a regular file, a folder, or bytes."
        ),
    ),
    "ArtifactPlaceError": (
        {"place": "runs.db.artifacts", "why": "the disk is full", "fix": "Make room, and log it again."},
        (
            "The bytes of an artifact cannot be written to 'runs.db.artifacts': the disk is full. "
            "What was there is as it was.\n"
            "  Make room, and log it again."
        ),
    ),
    "ArtifactsUnknownError": (
        {"store": "runs.db", "why": "1 journal cannot be read."},
        (
            "Which artifacts the store 'runs.db' uses cannot be known: 1 journal cannot be read. Nothing was removed.\n"
            "  See what is wrong, and how to mend it: otel-experiments doctor --store runs.db"
        ),
    ),
    "ArtifactsLockedError": (
        {"place": "runs.db.artifacts", "waited_s": 30.0, "holder": "a process that removes unused ones"},
        (
            "The artifacts in 'runs.db.artifacts' were locked for 30 s by a process that removes unused ones.\n"
            "  Try again when it has ended. Find it: fuser runs.db.artifacts/lock"
        ),
    ),
    "JournalMovedError": (
        {"segment_id": "ab12", "expected": 64, "found": 128},
        (
            "Journal segment ab12 stands at 128 in the store, not at 64.\n"
            "  Another process drained it; read it again from there."
        ),
    ),
    "NewerJournalError": (
        {"path": "0001.journal", "found": 9, "supported": 1},
        (
            "Journal '0001.journal' has format version 9; this release reads up to 1. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        ),
    ),
    "CursorError": (
        {"cursor": "eJyLNjTUMTQ", "why": "it is of another store"},
        (
            "The cursor 'eJyLNjTUMTQ' cannot be followed: it is of another store.\n"
            "  Ask without one: changes(run) begins at the start of the run."
        ),
    ),
    "PageCursorError": (
        {"cursor": "WzEs", "found": "it was changed"},
        (
            "The cursor 'WzEs' says no place in this search: it was changed.\n"
            "  Give the one that the page before gave, with the same search and order; or none, to begin at the start."
        ),
    ),
    "SearchSyntaxError": (
        {
            "expression": "params.lr =< 1",
            "column": 10,
            "why": "There is no operator '=<'.",
            "fix": "Write <= for less or equal.",
        },
        "There is no operator '=<'.\n  params.lr =< 1\n            ^\n  Write <= for less or equal.",
    ),
    "GoldenMissingError": (
        {"path": "golden/fit.txt", "update": "pytest --golden-update"},
        (
            "No golden at 'golden/fit.txt', so nothing was compared and nothing was written.\n"
            "  Record one, read it, commit it: pytest --golden-update"
        ),
    ),
    "GoldenInvalidError": (
        {"path": "fit.txt", "line": 7, "found": "a conflict marker", "fix": "Resolve the conflict."},
        "The golden fit.txt:7 cannot be used: a conflict marker.\n  Resolve the conflict.",
    ),
    "IncompleteTraceError": (
        {"run": "3f2a", "problems": ["2 spans never ended", "1 parent is missing"]},
        (
            "The trace of run '3f2a' is incomplete: 2 spans never ended; 1 parent is missing.\n"
            "  Flush the exporter before the process ends and raise its queue size; nothing was compared."
        ),
    ),
    "EmptyTraceError": (
        {"run": "3f2a"},
        (
            "The trace of run '3f2a' has no spans, so nothing was compared.\n"
            "  Check that the program recorded a run and that its spans were exported before it ended."
        ),
    ),
    "NonFiniteGoldenError": (
        {"metric": "loss", "index": 41, "value": float("inf"), "last_finite": 0.5},
        (
            "The metric 'loss' is inf at index 41 (last finite value 0.5), so the run was not taken as a golden.\n"
            "  Mend the run; if it must be so, allow it: --allow-nonfinite (in Python and pytest: allow_nonfinite=True)."
        ),
    ),
    "FigureError": (
        {
            "action": "saved",
            "found": "the path 'a.png' has the ending '.png'",
            "fix": "Give a path that ends in .svg.",
        },
        (
            "The figure cannot be saved: the path 'a.png' has the ending '.png'.\n"
            "  Give a path that ends in .svg."
        ),
    ),
    "TelemetryDecodeError": (
        {"source": "spans.json", "found": "a list where an object should be"},
        (
            "spans.json: a list where an object should be.\n"
            "  Give OTLP as the specification has it: JSON, JSON Lines, or protobuf (TracesData, MetricsData, LogsData)."
        ),
    ),
    "MissingToolError": (
        {"tool": "strace", "purpose": "trace --syscalls", "install": "sudo apt-get install strace"},
        (
            "trace --syscalls needs the program 'strace', which is not on the PATH.\n"
            "  Install it: sudo apt-get install strace"
        ),
    ),
    "CommandFailedError": (
        {"command": "python train.py", "ended": "ended with exit code 3"},
        (
            "The command 'python train.py' ended with exit code 3, so nothing of it was captured.\n"
            "  Make it end with exit code 0, then capture again; its own output is above."
        ),
    ),
    "UnstableRunsError": (
        {
            "golden": "train",
            "runs": 5,
            "behaviours": 2,
            "differences": ["run 2: status  run/fit  ok -> error"],
        },
        (
            "The 5 runs for the golden 'train' do 2 different things, so none was made.\n"
            "  run 2: status  run/fit  ok -> error\n"
            "  Give the program a seed, or declare what has no order (--unordered PATH) or varies (--volatile NAME); "
            "or accept all behaviours: --reason TEXT"
        ),
    ),
    "GoldenRuleError": (
        {"rule": "dur<", "why": "it ends after '<'", "fix": "Write a bound: dur<2x."},
        "The rule 'dur<' cannot be used: it ends after '<'.\n  Write a bound: dur<2x.",
    ),
}
"""For each exception that makes its text: facts, and the whole text that a user then reads."""

EMPTY = {
    "ArtifactNotFoundError": (
        {"wanted": "model", "store": "runs.db"},
        (
            "No artifact 'model' in store 'runs.db' (no such artifact).\n"
            "  List them with: otel-experiments artifacts --store runs.db"
        ),
    ),
    "RunInUseError": (
        {"run_id": "3f2a" * 8, "name": "resnet", "pid": 7, "host": "box"},
        (
            "Run 3f2a3f2a ('resnet') cannot be resumed: process 7 on box still records it.\n"
            "  Wait until it ends, end it, or join it: pass on what run.environment() returns there."
        ),
    ),
    "RunNotFoundError": (
        {"wanted": "a", "store": "runs.db", "known": [], "suggestions": ["a1b2"], "least_digits": 4},
        (
            "No run 'a' in store 'runs.db' (it is empty).\n"
            "  What changes a run takes 4 digits of its id, or more. Did you mean 'a1b2'? "
            "List them with: otel-experiments runs --store runs.db"
        ),
    ),
    "ModelRunNotFoundError": (
        {"model": "m.pt", "store": "runs.db", "why": "it has no run 3f2a", "elsewhere": "/data/runs.db"},
        (
            "No run in store 'runs.db' made the model 'm.pt': it has no run 3f2a.\n"
            "  Name the store that has the run; it was recorded into '/data/runs.db': run_of(path, store=STORE)"
        ),
    ),
    "ExperimentNotFoundError": (
        {"wanted": "a", "store": "runs.db", "known": []},
        (
            "No experiment 'a' in store 'runs.db' (it is empty).\n"
            "  List all runs with: otel-experiments runs --store runs.db"
        ),
    ),
    "ParamNotFoundError": (
        {"run": "3f2a", "key": "lr", "known": []},
        "Run '3f2a' has no param 'lr' (it has none).\n  Its params by their dotted keys: run.params.flat",
    ),
    "MetricNotFoundError": (
        {"run": "3f2a", "name": "loss", "known": []},
        "Run '3f2a' has no metric 'loss' (it has none).\n  List them with: otel-experiments metrics 3f2a",
    ),
    "NoActiveRunError": (
        {"action": "log()"},
        (
            "log() needs a current run, and none is active.\n"
            "  Start one: with otel_experiments.start_run('name') as run: ..."
        ),
    ),
    "TrialError": (
        {
            "trial": 3,
            "found": "its worker process ended before it did, with signal 9",
            "fix": "Run it alone.",
        },
        (
            "Trial 3 of the sweep failed: its worker process ended before it did, with signal 9.\n"
            "  Run it alone."
        ),
    ),
    "IllegalTransitionError": (
        {"run_id": "3f" * 16, "current": "running", "requested": "pending", "allowed": ["paused", "failed"]},
        (
            "Run 3f3f3f3f is 'running' and cannot become 'pending'.\n"
            "  From 'running' it may go to: paused, failed."
        ),
    ),
    "GoldenInvalidError": (
        {"path": "fit.txt", "line": None, "found": "it is empty", "fix": "Record it again."},
        "The golden fit.txt cannot be used: it is empty.\n  Record it again.",
    ),
    "NonFiniteGoldenError": (
        {"metric": "loss", "index": 0, "value": float("-inf"), "last_finite": None},
        (
            "The metric 'loss' is -inf at index 0 (no finite value before it), so the run was not taken as a golden.\n"
            "  Mend the run; if it must be so, allow it: --allow-nonfinite (in Python and pytest: allow_nonfinite=True)."
        ),
    ),
}
"""The same for the other case that an exception knows: nothing there to choose from, or several."""

CASES = [pytest.param(name, *case, id=name) for name, case in TEXTS.items()] + [
    pytest.param(name, *case, id=f"{name}-other") for name, case in EMPTY.items()
]


@pytest.mark.parametrize(("name", "facts", "text"), CASES)
def test_an_error_says_what_happened_and_what_to_do(name, facts, text):
    """The text is what a user reads in the last lines of a traceback, whole."""
    assert str(CLASSES[name](**facts)) == text


@pytest.mark.parametrize(("name", "facts", "text"), CASES)
def test_an_error_keeps_its_facts(name, facts, text):
    """Code that catches an error can read what was wanted and found, without parsing the text."""
    error = CLASSES[name](**facts)

    kept = {key: getattr(error, key) for key in facts if hasattr(error, key)}

    assert kept == {
        key: tuple(value) if isinstance(value, list) else value for key, value in facts.items() if key in kept
    }
    assert set(facts) - set(kept) <= {"fix", "why", "found", "update"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("name", "facts", "text"), CASES)
def test_an_error_comes_whole_out_of_another_process(name, facts, text, protocol):
    """What a worker of a pool raises arrives with its kind, text, facts and notes, as `pickle` brings it; no pool hangs."""
    error = CLASSES[name](**facts)
    error.add_note("in worker 3")

    arrived = pickle.loads(pickle.dumps(error, protocol))

    assert (type(arrived), str(arrived), arrived.args) == (type(error), text, error.args)
    assert vars(arrived) == vars(error)
    assert arrived.__notes__ == ["in worker 3"]


@pytest.mark.parametrize("name", sorted(set(CLASSES) - set(TEXTS)))
def test_an_error_with_a_free_text_comes_out_of_another_process(name):
    """So do those whose text is given."""
    arrived = pickle.loads(pickle.dumps(CLASSES[name]("A text.")))

    assert (type(arrived), arrived.args) == (CLASSES[name], ("A text.",))


def test_every_error_that_makes_its_text_has_it_tested():
    """A new exception joins TEXTS in this file."""
    makes_its_text = {name for name, kind in CLASSES.items() if "__init__" in vars(kind)}

    assert makes_its_text == set(TEXTS)


def test_the_tree_in_the_docstring_is_the_tree():
    """`errors/` opens with a drawing of all its classes, their parents and their builtin kin."""
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        match = re.match(r"([ │├└─]*)(\w+Error)(?: \((\w+)\))?(?:$|  )", line)
        if match:
            depth = len(match[1]) // 4 - 1
            path[depth:] = [match[2]]
            drawn[match[2]] = (path[-2] if depth else "Exception", match[3])

    there = {name: (kind.__bases__[0].__name__, builtin_of(kind)) for name, kind in CLASSES.items()}

    assert drawn == there


def builtin_of(kind):
    """Return the name of the builtin that a class derives from beside our own base; None where it has none."""
    return kind.__bases__[1].__name__ if len(kind.__bases__) > 1 else None


def test_every_error_has_its_line_in_the_documentation():
    """docs/reference/errors.md has one row for each class, with the builtin that it can be caught as."""
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+Error)` \| (?:`(\w+)`)? ?\|", page, flags=re.MULTILINE)

    wanted = []
    for name, kind in CLASSES.items():
        builtins = [base.__name__ for base in kind.__mro__[1:] if base.__module__ == "builtins"]
        own = builtins[0] if builtins[0] != "Exception" else ""
        wanted.append((name, own))

    assert sorted(rows) == sorted(wanted)


def test_every_error_is_defined_in_one_place():
    """No module but those of `errors/` defines an exception that leaves it."""
    package = ROOT / "otel_experiments"
    strays = [
        f"{path.relative_to(package).as_posix()}:{node.name}"
        for path in package.rglob("*.py")
        if path.parent.name != "errors"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(is_ours(base) for base in node.bases)
    ]

    assert strays == []


def is_ours(base):
    """Tell whether a base class, as it stands in the source, is one of ours."""
    return isinstance(base, ast.Name) and base.id in CLASSES
