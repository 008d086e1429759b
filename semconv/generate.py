"""Writes `otel_experiments/semconv` and `docs/semconv` from `semconv/model`; with `--check` only compares.

    python semconv/generate.py            check the policies, write the files
    python semconv/generate.py --check    write nothing; exit 1 and name each file that is not as generated
    python semconv/generate.py --release  also fix this version of the vocabulary in released/<version>.json

A vocabulary that breaks a policy, or lost something that was released, is never generated.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from policies import check_policies
from releases import ReleaseError, check_release, make_release, newest_release
from vocabulary import Attribute, Vocabulary, VocabularyError, load_vocabulary

HERE = Path(__file__).resolve().parent
PACKAGE = "otel_experiments/semconv"
DOCS = "docs/semconv"
_PYTHON_TYPES = {"string": "str", "int": "int", "double": "float", "boolean": "bool", "any": "any"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the generator; returns the exit status."""
    parser = argparse.ArgumentParser(description="Generate the vocabulary's constants and pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    parser.add_argument("--model", type=Path, default=HERE / "model", help="folder of the YAML")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="folder to write below")
    parser.add_argument("--released", type=Path, default=HERE / "released", help="folder of the releases")
    parser.add_argument("--release", action="store_true", help="fix this version for ever")
    options = parser.parse_args(arguments)
    try:
        vocabulary = load_vocabulary(options.model)
    except VocabularyError as error:
        print(error, file=sys.stderr)
        return 1
    breaches = check_policies(vocabulary)
    if (baseline := newest_release(options.released)) is not None:
        breaches += check_release(vocabulary, baseline)
    if breaches:
        print("\n".join(map(str, breaches)), file=sys.stderr)
        return 1
    if options.release and not options.check:
        try:
            print(f"{make_release(vocabulary, options.released)} written")
        except ReleaseError as error:
            print(error, file=sys.stderr)
            return 1
    files = render(vocabulary)
    drifted = find_drift(files, options.root)
    if not options.check:
        write(files, options.root, drifted)
        print(f"{len(drifted)} of {len(files)} files written")
        return 0
    for name in drifted:
        print(f"{name} is not as generated; run: python semconv/generate.py", file=sys.stderr)
    return 1 if drifted else 0


def render(vocabulary: Vocabulary) -> dict[str, str]:
    """Return the text of every generated file by its path below the root."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  what is written is Python and Markdown, not HTML
    )
    environment.filters |= {
        "block": lambda text: text.strip("\n"),
        "class_name": class_name,
        "cell": _cell,
        "constant": constant_name,
        "docstring": _docstring,
        "example": example,
        "examples_cell": _examples_cell,
        "python_type": python_type,
        "text": _literal,
        "tuple": _wrapped_tuple,
    }
    files: dict[str, str] = {}
    for template in sorted(environment.list_templates(extensions=["j2"])):
        name = template.removesuffix(".j2")
        folder = PACKAGE if name.endswith(".py") else DOCS
        text = environment.get_template(template).render(
            vocabulary=vocabulary, used_by=_used_by(vocabulary), enums=_enums(vocabulary)
        )
        # Blank lines are easier to squeeze here than to avoid in templates with optional parts.
        if folder == DOCS:
            text = re.sub(r"\n{3,}", "\n\n", text)
        files[f"{folder}/{name}"] = text.strip("\n") + "\n"
    return files


def find_drift(files: Mapping[str, str], root: Path) -> list[str]:
    """Return the paths whose text on disk differs from `files`, and those that no longer are generated."""
    drifted = [
        name
        for name, text in files.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]
    for folder, suffix in ((PACKAGE, "*.py"), (DOCS, "*.md")):
        drifted += [
            name
            for path in sorted((root / folder).glob(suffix))
            if (name := path.relative_to(root).as_posix()) not in files
        ]
    return drifted


def write(files: Mapping[str, str], root: Path, names: Sequence[str]) -> None:
    """Bring the files of these names to their generated text; those not generated any more are removed."""
    for name in names:
        path = root / name
        if name not in files:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], encoding="utf-8")


def constant_name(name: str) -> str:
    """`ml.run.id` as a constant: ML_RUN_ID."""
    return name.replace(".", "_").upper()


def class_name(name: str) -> str:
    """`ml.run.state` as a class: MlRunState."""
    return "".join(part.capitalize() for part in name.replace("_", ".").split("."))


def python_type(kind: str) -> str:
    """The Python type of an attribute's value, as read by people: `string[]` is list[str]."""
    if kind.startswith("template["):
        return python_type(kind[len("template[") : -1])
    if kind.endswith("[]"):
        return f"list[{_PYTHON_TYPES[kind[:-2]]}]"
    return _PYTHON_TYPES.get(kind, "str")


def example(value: object) -> str:
    """An example as code: strings quoted, lists as JSON."""
    return json.dumps(value, ensure_ascii=False)


def _literal(value: object) -> str:
    """Return a Python literal; double quotes round strings, as the formatter writes them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _wrapped_tuple(values: Sequence[object], indent: int) -> str:
    """Return a Python tuple; one entry a line, indented by `indent`, where one line would be too long."""
    line = _literal(tuple(values))
    if len(line) + indent <= 90:
        return line
    inner = "".join(f"{' ' * (indent + 4)}{_literal(value)},\n" for value in values)
    return f"(\n{inner}{' ' * indent})"


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _examples_cell(attribute: Attribute) -> str:
    if attribute.members:
        values = ", ".join(f"`{member.value}`" for member in attribute.members)
        return values if attribute.is_closed else f"{values}; open"
    return _cell(", ".join(f"`{example(value)}`" for value in attribute.examples))


def _used_by(vocabulary: Vocabulary) -> dict[str, list[str]]:
    used: dict[str, list[str]] = {}
    for signal in vocabulary.signals:
        for use in (*signal.identity, *signal.uses):
            used.setdefault(use.ref, []).append(f"{signal.kind} `{signal.name}`")
    return used


def _enums(vocabulary: Vocabulary) -> list[Attribute]:
    return [attribute for attribute in vocabulary.attributes if attribute.members]


if __name__ == "__main__":
    sys.exit(main())
