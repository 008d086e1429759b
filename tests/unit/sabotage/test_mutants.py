"""Which wrong changes are made to a module, and which are not."""

import ast
from pathlib import Path, PurePosixPath

import pytest

PATH = PurePosixPath("otel_experiments/room/size.py")


def after(tool, text, lines=None):
    """Return the changed lines of all mutants."""
    return [mutant.after for mutant in tool["mutant"].mutants_of(PATH, text, lines)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a < b", "x = a <= b"),
        ("x = a >= b", "x = a > b"),
        ("x = a == b", "x = a != b"),
        ("x = a not in b", "x = a in b"),
        ("x = a is None", "x = a is not None"),
        ("x = a and b", "x = a or b"),
        ("x = (a) or (b)", "x = (a) and (b)"),
        ("x = a + b", "x = a - b"),
        ("x -= b", "x += b"),
        ("x = not a", "x = a"),
        ("x = not (a)", "x = (a)"),
        ("x = a[0]", "x = a[1]"),
        ("x = 0.5", "x = 1.5"),
        ("é = 'é' < b", "é = 'é' <= b"),
    ],
)
def test_one_operator_or_constant_is_changed(tool, line, expected):
    """Each comparison, and/or, +/-, `not` and number becomes another one, and the rest of the line stays."""
    assert after(tool, line + "\n") == [expected]


@pytest.mark.parametrize(
    "statement",
    ["f()", "self.x = a", "a['x'] = b", "return a", "raise E", "continue", "break", "del a", "x += y"],
)
def test_a_statement_that_does_something_is_dropped(tool, statement):
    """A call, a store into an object, a jump and a return are left out."""
    assert "pass" in after(tool, f"def f(self):\n    for a in b:\n        {statement}\n")


@pytest.mark.parametrize(
    "text",
    [
        '"""A text with 1 < 2."""\n',
        "x: Literal[1, 2]\n",
        "def f(a: tuple[int, 3]) -> Literal[4]: ...\n",
        "if TYPE_CHECKING:\n    x = 1\n",
        "def f():\n    logger.warning('of %d', 3)\n",
        "class A:\n    def __repr__(self):\n        return self.a + self.b\n",
        "def f():\n    assert a < b\n",
        "__slots__ = names[1]\n",
        "@lru_cache(maxsize=10)\ndef f(): ...\n",
        "x = 'a' + b\n",
        "x = True\n",
        "def f():\n    x = g()\n",
        "def f():\n    return\n",
        "def f():\n    if a:\n        x = b\n    return None\n",
    ],
)
def test_a_place_where_a_change_means_nothing_is_left_alone(tool, text):
    """Annotations, docstrings, asserts, texts and what any test would catch have no mutants."""
    assert after(tool, text) == []


def test_the_lines_below_a_dropped_statement_stay_where_they_are(tool):
    """A statement of several lines is replaced by as many, so that only the behaviour differs."""
    text = "def f():\n    g(\n        a,\n        b,\n    )  # why\n    return h\n"

    dropped, *_ = tool["mutant"].mutants_of(PATH, text)

    assert dropped.changed.splitlines()[5] == "    return h"
    assert dropped.changed.count("\n") == text.count("\n")


def test_every_mutant_of_the_product_is_a_module(tool):
    """A wrong change is always Python: it is the tests that have to find it, not the parser."""
    text = Path(tool["mutant"].__file__).read_text(encoding="utf-8")
    mutants = tool["mutant"].mutants_of(PATH, text)

    assert len(mutants) > 50
    for mutant in mutants:
        ast.parse(mutant.changed)
        assert mutant.changed != text


def test_only_the_lines_asked_for_are_changed(tool):
    """Of a changed module only the lines of the change are broken."""
    assert after(tool, "x = 1\ny = 2\nz = 3\n", {2}) == ["y = 3"]


def test_the_key_of_a_mutant_stays_when_code_moves(tool):
    """A reason written once holds when lines are added above or the module moves to another folder."""
    text = "class A:\n    def f(self):\n        return self.a < 3\n"
    key = tool["mutant"].mutants_of(PATH, text)[0].key

    moved = tool["mutant"].mutants_of(PurePosixPath("otel_experiments/other/size.py"), "import os\n\n" + text)

    assert moved[0].key == key == "size.py A.f | return self.a < 3 => return self.a <= 3"
