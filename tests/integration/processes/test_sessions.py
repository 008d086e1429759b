"""Runs of notebooks and prompts, where an exception does not end the program."""

import pytest

CELLS = {
    # cells that are run one after the other: what became of the runs, by name: state, reason, error type
    "a cell that raises is run again": (
        ["ox.init(name=next(names)); ox.log({'loss': 1.0}); 1 / 0"] * 2 + ["ox.finish()"],
        {
            "run 0": ("failed", "division by zero", "ZeroDivisionError"),
            "run 1": ("succeeded", "", ""),
        },
    ),
    "somebody looks around before it is run again": (
        ["ox.init(name=next(names)); ox.log({'loss': 1.0}); 1 / 0", "1 + 1", "ox.init(name=next(names))"],
        {
            "run 0": ("failed", "division by zero", "ZeroDivisionError"),
            "run 1": ("succeeded", "the process ended", ""),
        },
    ),
    "a slip after which the run goes on": (
        [
            "ox.init(name=next(names))",
            "misspelt",
            "ox.log({'loss': 1.0}, step=0)",
            "ox.init(name=next(names))",
        ],
        {"run 0": ("succeeded", "", ""), "run 1": ("succeeded", "the process ended", "")},
    ),
    "an exception from before": (
        ["1 / 0", "ox.init(name=next(names))", "ox.log({'loss': 1.0})"],
        {"run 0": ("succeeded", "the process ended", "")},
    ),
    "an exception at the very end": (
        ["ox.init(name=next(names))", "ox.log({'loss': 1.0})", "raise ValueError('loss is nan')"],
        {"run 0": ("failed", "loss is nan", "ValueError")},
    ),
    "a cell that is interrupted": (
        ["ox.init(name=next(names))", "raise KeyboardInterrupt", "ox.init(name=next(names))"],
        {
            "run 0": ("cancelled", "KeyboardInterrupt", "KeyboardInterrupt"),
            "run 1": ("succeeded", "the process ended", ""),
        },
    ),
    "a run that is finished after an exception": (
        ["ox.init(name=next(names))", "1 / 0", "ox.finish()"],
        {"run 0": ("succeeded", "", "")},
    ),
    "a block in a cell": (
        ["with ox.start_run(next(names)): 1 / 0", "ox.init(name=next(names))"],
        {
            "run 0": ("failed", "division by zero", "ZeroDivisionError"),
            "run 1": ("succeeded", "the process ended", ""),
        },
    ),
}
SESSIONS = {
    "notebook": """
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance(history_length=0)
        shell.user_ns.update(ox=ox, names=names)
        for cell in cells:
            shell.run_cell(cell)
    """,
    "console": """
        import code
        sys.ps1 = ">>> "
        console = code.InteractiveConsole({"ox": ox, "names": names})
        for cell in cells:
            for line in cell.split("; "):
                console.push(line)
            console.push("")
    """,
}
NOT_SEEN = {("console", "a slip after which the run goes on")}
"""At a plain prompt nobody tells when an exception came: a limit."""


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("cells", CELLS)
def test_an_exception_in_a_session_fails_the_run_whose_work_it_ended(cells, session, script, read, tmp_path):
    """What was shown and ended a run's work fails it; one from before, or after which it went on, does not."""
    if session == "notebook":
        pytest.importorskip("IPython")
    if (session, cells) in NOT_SEEN:
        pytest.skip("a limit: docs/limitations.md")
    texts, expected = CELLS[cells]
    body = f"""
        setup()
        cells = {texts!r}
        names = (f"run {{number}}" for number in range(9))
        {SESSIONS[session]}
    """
    script(body, IPYTHONDIR=str(tmp_path)).end()

    reader = read()
    found = {run.name: (str(run.state), run.reason, run.error_type) for run in reader.runs()}
    assert found == expected


def test_a_script_that_raised_before_its_prompt_has_failed(script, read):
    """`python -i` goes on at a prompt after the exception of the script: leaving it says nothing against that."""
    body = """
    if not sys.flags.interactive:
        os.execv(sys.executable, [sys.executable, "-i", __file__, *sys.argv[1:]])
    setup()
    ox.init(name="r")
    raise ValueError("loss is nan")
    """
    script(body).end()

    run = read().run("r")
    assert (str(run.state), run.reason, run.error_type) == ("failed", "loss is nan", "ValueError")
