"""The Python reference is what the docstrings say, and the docstrings say what a caller has to know."""

import builtins
import enum
import re
import sys
from pathlib import Path

import otel_experiments
from otel_experiments import errors

ROOT = Path(otel_experiments.__file__).parent.parent
TOOL = ROOT / ".ci" / "reference"
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")

sys.path.insert(0, str(TOOL))
try:
    from docstring import read_docstring
    from surface import parameters_of, public_names
    from words import HOW_TO, PAGES_OF, RETURNED, SAME_EVERYWHERE
finally:
    sys.path.remove(str(TOOL))

NAMES = {f"{one.package}.{one.name}": one for one in public_names()}
MEMBERS = {
    f"{full}.{member.name}": member
    for full, one in NAMES.items()
    if one.is_class and not issubclass(one.value, BaseException)
    for member in one.members
}
FUNCTIONS = {full: (one.value, [one.docstring]) for full, one in NAMES.items() if one.is_function}
FUNCTIONS |= {
    full: (member.function, [member.docstring]) for full, member in MEMBERS.items() if member.function
}
FUNCTIONS |= {
    full: (one.value, [one.docstring, one.constructor]) for full, one in NAMES.items() if one.is_made_by_users
}


TAKE_SETTINGS = {"otel_experiments.Recorder", "otel_experiments.configure"}
"""What has each setting as an argument: the table of settings says what it is for."""


def test_every_public_name_has_its_place_on_the_page():
    """Each name and each member can be linked to by its full name; a name of several packages has its place in one."""
    places = set(re.findall(r'<a id="([\w.]+)"></a>', PAGE))
    first = {id(one.value): full for full, one in reversed(NAMES.items())}
    wanted = {first[id(one.value)] for one in NAMES.values()}
    wanted |= {full for full in MEMBERS if full.rpartition(".")[0] in wanted}

    assert wanted - places == set()
    assert re.findall(r"\]\(#([\w.]+)\)", PAGE) != []
    assert set(re.findall(r"\]\(#([\w.]+)\)", PAGE)) - places == set()


def explained(full, docstrings):
    """Return what docstrings explain: the entries of their sections, and what their prose names in backticks."""
    sections = [section for one in docstrings for section in one.sections.values()]
    texts = [text for section in sections for text in section.values()]
    texts += [text for one in docstrings for text in one.prose]
    named = {word for text in texts for word in re.findall(r"`(\w+)\b", text)}
    fields = {one.name for one in getattr(NAMES.get(full), "members", []) if one.docstring.summary}
    return named.union(SAME_EVERYWHERE, *sections, (NAMES | MEMBERS)[full].meanings(), fields)


def test_every_argument_is_explained():
    """Below `Args:`, in the text, or once for all functions: a caller never has to guess what an argument is for."""
    gaps = [
        f"{full}({one.name})"
        for full, (function, docstrings) in FUNCTIONS.items()
        for one in parameters_of(function)
        if one.name not in explained(full, docstrings)
    ]

    assert gaps == []


def test_every_argument_that_is_explained_exists():
    """What stands below `Args:` is an argument of that very function."""
    wrong = [
        f"{full}({name})"
        for full, (function, docstrings) in FUNCTIONS.items()
        for name in {name for one in docstrings for name in one.entries("Args")}
        - {one.name for one in parameters_of(function)}
        if name != "settings" or full not in TAKE_SETTINGS
    ]

    assert wrong == []


def test_every_attribute_is_described():
    """A property has a docstring, a field a line below `Attributes:` of its class or a text below it."""
    gaps = [
        full
        for full, member in MEMBERS.items()
        if not member.function and not isinstance(member.value, enum.Enum) and not member.docstring.summary
    ]

    assert gaps == []


def test_every_method_is_described():
    """What can be called says what the caller gets."""
    assert [full for full, (_, docstrings) in FUNCTIONS.items() if not docstrings[0].summary] == []


def test_every_error_below_raises_can_be_caught():
    """A documented error is one of ours, or one of Python."""
    named = {
        name for _, docstrings in FUNCTIONS.values() for one in docstrings for name in one.entries("Raises")
    }

    assert "StoreError" in named
    assert [name for name in sorted(named) if not hasattr(errors, name) and not hasattr(builtins, name)] == []


def test_what_is_said_beside_the_docstrings_is_of_something():
    """Links to pages, and words about arguments that mean the same everywhere, are of names that exist."""
    arguments = {one.name for function, _ in FUNCTIONS.values() for one in parameters_of(function)}

    assert {f"otel_experiments.{name}" for name in HOW_TO} - set(NAMES) == set()
    assert set(PAGES_OF) - {one.package for one in NAMES.values()} == set()
    assert RETURNED - {one.name for one in NAMES.values() if one.is_class} == set()
    assert set(SAME_EVERYWHERE) - arguments == set()


def test_a_docstring_is_read_as_people_read_it():
    """Paragraphs become lines, code stays as it is, entries go on where they are indented, and names may share a text."""
    found = read_docstring("""Return the sum.

        It goes on
        over two lines:

            print(add(1, 2))
            # 3

        Args:
            left, right: the numbers, which
                may be floats.
            *more: others.
            **unknown (object): nothing.

        Returns:
            The sum: a number.

        Raises:
            ValueError: never.

        Units: none.
        """)

    assert found.prose == (
        "Return the sum.",
        "It goes on over two lines:",
        "    print(add(1, 2))\n    # 3",
        "Units: none.",
    )
    assert found.entries("Args") == {
        "left": "the numbers, which may be floats.",
        "right": "the numbers, which may be floats.",
        "more": "others.",
        "unknown": "nothing.",
    }
    assert found.entries("Returns") == {"": "The sum: a number."}
    assert found.entries("Raises") == {"ValueError": "never."}
    assert found.entries("Attributes") == {}
