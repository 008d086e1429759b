"""The public surface as the code has it: packages, their names, the members of their classes.

Which names are public says `tests/contract/public_names.txt`; signatures and docstrings come from the code, and what Python
keeps no docstring of (fields, constants, attributes that a constructor assigns) from the source.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from docstring import Docstring, read_docstring
from words import RETURNED, RETURNED_PACKAGES

from otel_experiments.record.base.settings import SETTINGS

ROOT: Final = Path(__file__).resolve().parents[2]
LIST: Final = ROOT / "tests" / "contract" / "public_names.txt"
_LONGEST_LINE: Final = 100
_BORROWED: Final = re.compile(r"(?:are those of|\bsee) `([\w.]+)`")
"""How a docstring says that another one explains its arguments."""
_PLAIN_DEFAULTS: Final = (str, int, float, bool, bytes, tuple, type(None))


@dataclass(frozen=True)
class Member:
    """One member of a public class: a method, or an attribute (a property, a field, a member of an enumeration)."""

    cls: type
    name: str

    @cached_property
    def value(self) -> Any:  # whatever the class holds
        """What the class has under the name; None for what only an instance has."""
        return inspect.getattr_static(self.cls, self.name, None)

    @cached_property
    def function(self) -> Callable[..., Any] | None:
        """The function that a method is; None for an attribute."""
        value = self.value.__func__ if isinstance(self.value, classmethod | staticmethod) else self.value
        return value if inspect.isfunction(value) else None

    @cached_property
    def docstring(self) -> Docstring:
        """What is said of it: its docstring, else the text below it in the source, else a line of `Attributes` of the class."""
        if self.function is not None:
            return read_docstring(inspect.getdoc(getattr(self.cls, self.name)))
        if isinstance(self.value, property) or type(self.value).__name__ == "cached_property":
            return read_docstring(self.value.__doc__)
        for owner in self.cls.__mro__:
            if (below := _texts_below(owner).get(self.name)) is not None:
                return read_docstring(below)
            section = read_docstring(owner.__doc__)
            for entries in (section.entries("Attributes"), section.entries("Args")):
                if self.name in entries:
                    return Docstring((entries[self.name],))
        return Docstring()

    @cached_property
    def type_text(self) -> str:
        """The type of an attribute as its source has it; empty where the source says none."""
        if isinstance(self.value, enum.Enum):
            return repr(self.value.value)
        getter = getattr(self.value, "fget", None) or getattr(self.value, "func", None)
        if getter is not None:
            return _annotation(inspect.get_annotations(getter).get("return", ""))
        for owner in self.cls.__mro__:
            if self.name in (annotations := inspect.get_annotations(owner)):
                return _annotation(annotations[self.name])
            if self.name in (assigned := _assigned(owner)):
                return assigned[self.name]
        return ""

    def meanings(self) -> dict[str, str]:
        """Return what is said of the arguments of a method, there or where its docstring says."""
        return {**_borrowed(self.docstring, "", self.cls), **self.docstring.entries("Args")}

    def signatures(self) -> list[str]:
        """Return the signatures of a method, one for each way to call it."""
        assert self.function is not None
        return signatures_of(self.function, self.name, is_bound=not isinstance(self.value, staticmethod))


@dataclass(frozen=True)
class Name:
    """One public name of a package, with the members of a class that are public."""

    package: str
    name: str
    member_names: tuple[str, ...]

    @cached_property
    def value(self) -> Any:  # whatever is public
        """What the name stands for."""
        return inspect.unwrap(getattr(importlib.import_module(self.package), self.name))

    @property
    def is_class(self) -> bool:
        """Whether it is a class."""
        return inspect.isclass(self.value)

    @property
    def is_function(self) -> bool:
        """Whether it is a function."""
        return inspect.isroutine(self.value)

    @property
    def is_made_by_users(self) -> bool:
        """Whether it is a class whose constructor users call, and no enumeration or exception."""
        is_returned = self.package in RETURNED_PACKAGES or self.name in RETURNED
        return self.is_class and not is_returned and not issubclass(self.value, BaseException | enum.Enum)

    @cached_property
    def module(self) -> str:
        """The module that defines it."""
        if self.is_class or self.is_function:
            return str(self.value.__module__)
        return _defined_in(self.package, self.name)

    @property
    def path(self) -> str:
        """The file that defines it, from the root of the repository."""
        file = Path(inspect.getfile(importlib.import_module(self.module)))
        return file.resolve().relative_to(ROOT).as_posix()

    @cached_property
    def docstring(self) -> Docstring:
        """What is said of it."""
        if self.is_class or self.is_function:
            return read_docstring(self.value.__doc__)
        return read_docstring(_texts_in(_tree_of(self.module).body).get(self.name))

    @cached_property
    def members(self) -> list[Member]:
        """The members of a class that are public, in the order of the list."""
        return [Member(self.value, one) for one in self.member_names]

    def signatures(self) -> list[str]:
        """Return the signatures of a function or a constructor, one for each way to call it."""
        return signatures_of(self.value, self.name)

    def meanings(self) -> dict[str, str]:
        """Return what is said of its arguments, there or where its docstring says; of settings by the table of settings."""
        said = (
            self.constructor.entries("Args")
            if self.is_class
            else _borrowed(self.docstring, self.package, None)
        )
        found = {**said, **self.docstring.entries("Args")}
        if found.pop("settings", None):
            found |= {name: one.brief for name, one in SETTINGS.items()}
        return found

    @cached_property
    def constructor(self) -> Docstring:
        """What the docstring of a class and that of its constructor say of the arguments."""
        init = vars(self.value).get("__init__")
        return read_docstring(getattr(init, "__doc__", None)) if inspect.isfunction(init) else Docstring()


def public_names() -> Iterator[Name]:
    """Yield the public names, package by package, in the order of the list."""
    package, name, members = "", "", list[str]()
    for line in [*LIST.read_text(encoding="utf-8").splitlines(), "end"]:
        depth = (len(line) - len(line.lstrip())) // 4
        if depth == 2:
            members.append(line.strip())
            continue
        if name:
            yield Name(package, name, tuple(members))
        name, members = line.strip() if depth == 1 else "", []
        if depth == 0:
            package = line


@cache
def _classes() -> dict[str, type]:
    # Where two packages have a class of one name, a docstring means the one of the package that comes first.
    return {one.name: one.value for one in reversed(list(public_names())) if one.is_class}


def _borrowed(said: Docstring, package: str, cls: type | None) -> dict[str, str]:
    """Return what other docstrings say of the arguments of this one, where it names them."""
    found: dict[str, str] = {}
    for name in (name for paragraph in said.prose for name in _BORROWED.findall(paragraph)):
        owner, _, last = name.rpartition(".")
        place = _classes().get(owner) if owner else cls or importlib.import_module(package)
        function = getattr(place, last, None)
        found |= read_docstring(inspect.getdoc(function)).entries("Args") if function else {}
    return found


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters that a caller gives, those of every way to call it."""
    ways = [*(typing.get_overloads(function) if inspect.isroutine(function) else []), function]
    found = {one.name: one for way in ways for one in inspect.signature(way).parameters.values()}
    return [one for one in found.values() if one.name not in {"self", "cls"} and not one.name.startswith("_")]


def signatures_of(function: Callable[..., Any], name: str, *, is_bound: bool = False) -> list[str]:
    """Return the signatures of what can be called, as Python writes them; `is_bound` leaves out `self`."""
    ways = typing.get_overloads(function) if inspect.isroutine(function) else []
    return [_signature(one, name, is_bound=is_bound) for one in ways or [function]]


def _signature(function: Callable[..., Any], name: str, *, is_bound: bool) -> str:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1 if is_bound else 0 :]
    parts = list(_written(parameters))
    is_function = not inspect.isclass(function)
    head = f"{'def' if is_function else 'class'} {name}("
    returns = _annotation(signature.return_annotation) if is_function else ""
    tail = f") -> {returns}" if returns else ")"
    if len(flat := head + ", ".join(parts) + tail) <= _LONGEST_LINE:
        return flat
    return "\n".join([head, *(f"    {part}," for part in parts), tail])


def _written(parameters: list[inspect.Parameter]) -> Iterator[str]:
    """Yield the parameters of a signature as they are written, with `/` and `*` between them."""
    kinds = [one.kind for one in parameters]
    for place, one in enumerate(parameters):
        if one.kind is one.KEYWORD_ONLY and not {one.KEYWORD_ONLY, one.VAR_POSITIONAL} & set(kinds[:place]):
            yield "*"
        stars = "*" * (one.kind is one.VAR_POSITIONAL) + "**" * (one.kind is one.VAR_KEYWORD)
        kind = _annotation(one.annotation)
        default = "" if one.default is one.empty else _default(one.default)
        equals = " = " if kind else "="
        yield f"{stars}{one.name}{': ' * bool(kind)}{kind}{equals * bool(default)}{default}"
        if one.kind is one.POSITIONAL_ONLY and kinds[place + 1 : place + 2] != [one.POSITIONAL_ONLY]:
            yield "/"


def _annotation(annotation: Any) -> str:  # a text, a type or a form of typing
    if annotation is inspect.Parameter.empty:
        return ""
    annotation = getattr(annotation, "__forward_arg__", annotation)
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:  # whatever a default is
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    return repr(value) if isinstance(value, _PLAIN_DEFAULTS) else "..."


@cache
def _tree_of(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _defined_in(module: str, name: str) -> str:
    """Return the module that defines a name, which others import from one another."""
    for node in ast.walk(_tree_of(module)):
        if isinstance(node, ast.ImportFrom) and name in {one.asname or one.name for one in node.names}:
            return _defined_in(str(node.module), name)
    return module


def _texts_in(body: list[ast.stmt]) -> dict[str, str]:
    """Return the texts that stand below assignments, by what is assigned."""
    found = {}
    for node, below in pairwise(body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(below, ast.Expr):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
                found[ast.unparse(target).removeprefix("self.")] = below.value.value
    return found


@cache
def _class_tree(cls: type) -> ast.ClassDef | None:
    if cls.__module__.partition(".")[0] != "otel_experiments":
        return None
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError):
        return None
    return node if isinstance(node, ast.ClassDef) else None


@cache
def _texts_below(cls: type) -> dict[str, str]:
    tree = _class_tree(cls)
    if tree is None:
        return {}
    inits = [
        one.body for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("__init")
    ]
    return {name: text for body in (*inits, tree.body) for name, text in _texts_in(body).items()}


@cache
def _assigned(cls: type) -> dict[str, str]:
    """Return the types of what the methods of a class assign to `self`: annotated, or of the argument that is assigned."""
    tree = _class_tree(cls)
    found: dict[str, str] = {}
    for method in [one for one in tree.body if isinstance(one, ast.FunctionDef)] if tree else []:
        given = {one.arg: ast.unparse(one.annotation) for one in _arguments(method) if one.annotation}
        for node in ast.walk(method):
            if isinstance(node, ast.AnnAssign):
                found[ast.unparse(node.target).removeprefix("self.")] = ast.unparse(node.annotation)
            elif isinstance(node, ast.Assign) and ast.unparse(node.value) in given:
                name = ast.unparse(node.targets[0]).removeprefix("self.")
                found.setdefault(name, given[ast.unparse(node.value)])
    return found


def _arguments(method: ast.FunctionDef) -> list[ast.arg]:
    return [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
