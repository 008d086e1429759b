"""What the pages show is true: code runs, output is as shown, commands exist, links lead somewhere.

How a block is marked and what it then has to fulfil is written down in docs/README.md.
"""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import otel_experiments
from otel_experiments.cli.root import root
from otel_experiments.store import open_store

ROOT = Path(otel_experiments.__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    ROOT / "otel_experiments" / "agents" / "skill" / "SKILL.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
REFERENCE = ROOT / "docs" / "reference" / "python.md"
"""Its signatures are written from the code, which `tests/contract/test_reference.py` holds."""
MAY_NOT_RUN = 3
"""How many python blocks there may be, in all pages together, that are shown and not run."""

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
KINDS = {"", "text", "python", "console", "bash", "toml", "yaml", "json", "sql", "js"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line its body starts at, its info string, its body, and what precedes it."""

    page: Path
    line: int
    info: str
    body: str
    before: str

    @property
    def kind(self):
        """The language."""
        return self.info.partition(" ")[0]

    @property
    def place(self):
        """Where it is, for messages."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks_of(page):
    """Return the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    blocks, end = [], 0
    for found in FENCE.finditer(text):
        blocks.append(
            Block(
                page=page,
                line=text.count("\n", 0, found.start("body")) + 1,
                info=found["info"].strip(),
                body=textwrap.dedent(found["body"]),
                before=text[end : found.start()].strip(),
            )
        )
        end = found.end()
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks_marked(*kinds):
    """Return parameters: the blocks of these kinds."""
    return [pytest.param(block, id=block.place) for block in BLOCKS if block.kind in kinds]


def commands_of(block):
    """Yield (command, documented output, line) of a console block."""
    command, output, line = None, [], 0
    for offset, text in enumerate(block.body.splitlines()):
        if text.startswith("$ "):
            if command is not None:
                yield command, "\n".join(output), line
            command, output, line = text[2:], [], block.line + offset
        elif text.startswith("> ") and command is not None and not output:
            command += "\n" + text[2:]
        else:
            assert command is not None, f"{block.place}: a console block starts with '$ '"
            output.append(text)
    if command is not None:
        yield command, "\n".join(output), line


def steps_of(page):
    """Return what is run for a page: dicts as run_page.py takes them, each with the documented output or None."""
    steps = []
    for block in blocks_of(page):
        place = {"page": str(page), "line": block.line}
        if block.info == "python":
            steps.append({"kind": "python", "body": block.body, "documented": None, **place})
        elif block.info.startswith("python file="):
            name = block.info.removeprefix("python file=")
            steps.append({"kind": "file", "name": name, "body": block.body, "documented": None, **place})
        elif block.kind == "text" and block.before == "" and steps and steps[-1]["kind"] == "python":
            steps[-1]["documented"] = block.body
        elif block.kind == "console":
            for command, documented, line in commands_of(block):
                code = re.search(r"# exit code (\d+)$", command)
                steps.append(
                    {
                        "kind": "command", "body": command, "exit_code": int(code[1]) if code else 0,
                        "documented": documented, "page": str(page), "line": line,
                    }
                )  # fmt: skip
    return steps


@pytest.mark.parametrize("page", [page for page in PAGES if steps_of(page)], ids=lambda page: page.name)
def test_what_a_page_shows_happens(page, tmp_path, user_environment, output_difference):
    """A reader who types a page from top to bottom in an empty folder sees what the page shows."""
    steps = steps_of(page)
    folder = tmp_path / "reader"
    folder.mkdir()
    report = tmp_path / "report.json"

    answer = subprocess.run(
        [sys.executable, Path(__file__).parent / "run_page.py", report],
        input=json.dumps(steps), text=True, cwd=folder, env=user_environment, timeout=110, check=False,
    )  # fmt: skip

    assert answer.returncode == 0
    for step, result in zip(steps, json.loads(report.read_text(encoding="utf-8")), strict=False):
        place = f"{page.relative_to(ROOT)}:{step['line']}"
        assert result["wrong"] == "", f"{place}\n{result['wrong']}"
        if step["documented"] is not None:
            assert output_difference(step["documented"], result["printed"]) == "", place


@pytest.mark.parametrize("block", blocks_marked(*{block.kind for block in BLOCKS}))
def test_every_block_says_what_it_is(block):
    """A block has a language that some test of this file looks at, and no attribute that none knows."""
    assert block.kind in KINDS
    rest = block.info.partition(" ")[2]
    file = {"python": r"file=\w+\.py", "js": r"file=\w+\.mjs"}.get(block.kind, "no-run")
    assert (
        rest in ("", "no-run")
        or re.fullmatch(file, rest)
        or (rest == "signature" and block.page == REFERENCE)
    )


def test_few_blocks_are_shown_and_not_run():
    """A python block that is not run says why in a comment before it, and there are few of them."""
    still = [block for block in BLOCKS if block.info == "python no-run"]

    assert [block.place for block in still if not re.search(r"<!-- not run: .+ -->$", block.before)] == []
    assert len(still) <= MAY_NOT_RUN


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def package_of(requirement):
    """Return the name in a requirement."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


KNOWN_PACKAGES = {package_of(line) for line in PROJECT["dependencies"]} | {
    package_of(line) for extra in EXTRAS.values() for line in extra
}


def check_install(words):
    """A `pip install` names this package, with extras that exist, or a package that pyproject.toml knows."""
    wanted = [word for word in words[2:] if not word.startswith("-")]
    assert wanted
    for word in wanted:
        found = re.fullmatch(r"(?P<what>[\w.-]+)(?:\[(?P<extras>[\w,-]+)\])?", word)
        assert found, word
        assert found["what"] in {".", "otel-experiments", *KNOWN_PACKAGES}
        for extra in (found["extras"] or "").split(","):
            assert extra in EXTRAS or not extra, f"there is no extra {extra!r}"


REAL_PROGRAMS = {"jaeger", "prometheus", "otelcol-experiments"}
"""Programs of others that pages start; `tests/backends` follows those pages."""


def check_shown_command(words, page):
    """A command that is shown and not run is one that there is."""
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:2] == ["pip", "install"]:
        check_install(words)
    elif words[0] == "otel-experiments":
        assert words[1].startswith("-") or words[1] in root.list_commands(None)
    elif words[:2] in (["npm", "install"], ["python", "-c"]):
        assert words[2:]
    elif words[0] == "node":
        assert words[1] in {block.info.partition("file=")[2] for block in BLOCKS if block.page == page}
    elif words[0] in {"python", "python3"} and words[1] == "-m":
        assert words[2] in {"venv", "pytest", "build"}
    elif words[0] in {"python", "python3", "bash"}:
        written = {block.info.partition("file=")[2] for block in BLOCKS if block.page == page}
        there = (ROOT / words[1]).is_file() or (ROOT / words[1] / "__main__.py").is_file()
        assert there or words[1] in written
    elif words[0] in REAL_PROGRAMS:
        named = [part for word in words for part in word.split("=") if part.startswith("collector-config/")]
        assert named
        assert [file for file in named if not (ROOT / file).is_file()] == []
    else:
        assert words[0] in {
            "cd",
            "unset",
            "git",
            "pytest",
            "source",
            "export",
            "mypy",
            "ruff",
            "lint-imports",
        }


@pytest.mark.parametrize("block", blocks_marked("bash"))
def test_commands_that_are_only_shown_exist(block):
    """Blocks that install or check something are not run, but name packages, extras, commands and files that exist."""
    for line in re.sub(r"\\\n", " ", block.body).splitlines():
        for command in line.split("&&"):
            words = shlex.split(command, comments=True)
            if words:
                check_shown_command(words, block.page)


def test_two_commands_of_the_readme_do_everything():
    """The README has one command that installs and runs the demo, and one that installs and passes the tests."""
    shown = [line for block in BLOCKS if block.page.name == "README.md" if block.kind == "bash"
             for line in block.body.splitlines()]  # fmt: skip

    assert [line for line in shown if re.match(r"pip install .+ && otel-experiments demo$", line)]
    assert [line for line in shown if re.match(r"pip install .+ && .*pytest", line)]


@pytest.mark.parametrize("block", blocks_marked("toml", "yaml", "json"))
def test_settings_and_data_can_be_parsed(block):
    """A configuration file or a piece of data that is shown is well-formed; one of JSON Lines is so line by line."""
    if block.kind == "toml":
        assert tomllib.loads(block.body)
    elif block.kind == "yaml":
        assert yaml.safe_load(block.body) is not None
    else:
        try:
            json.loads(block.body)
        except json.JSONDecodeError:
            assert [json.loads(line) for line in block.body.splitlines()]


@pytest.mark.parametrize("block", blocks_marked("sql"))
def test_sql_fits_the_schema(block, store_path):
    """A question that is shown can be put to a store; a definition that is shown is the store's own."""
    with open_store(store_path):
        pass
    database = sqlite3.connect(store_path)
    own = {
        plain_sql(sql) for (sql,) in database.execute("select sql from sqlite_master where sql is not null")
    }

    for statement in re.split(r";\s*(?:\n|$)", re.sub(r"--.*", "", block.body)):
        if re.match(r"\s*create\b", statement, re.IGNORECASE):
            assert plain_sql(statement) in own
        elif statement.strip():
            named = re.findall(r":(\w+)", statement)
            values = dict.fromkeys(named) if named else (None,) * statement.count("?")
            database.execute(f"explain {statement}", values)
    database.close()


def plain_sql(statement):
    """Return a definition in lower case without comments and superfluous blanks."""
    text = re.sub(r"--.*", "", statement).replace("if not exists ", "")
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.split())).strip(" ;").lower()


LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")


def prose_of(page):
    """Return a page without its blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def links_of(page):
    """Yield (target file, anchor) of each relative link of a page."""
    for found in LINK.finditer(prose_of(page)):
        target = found["target"] or found["image"]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        yield ((page.parent / path).resolve() if path else page), anchor


def anchors_of(page):
    """Return the anchors of a page: those that its headings give, as code hosts make them, and those that it has in HTML."""
    anchors = set(re.findall(r'<a id="([\w.]+)"></a>', page.read_text(encoding="utf-8")))
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchors.add(re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-"))
    return anchors


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    """Each relative link names a file of the repository, and its anchor a heading there."""
    for target, anchor in links_of(page):
        assert target.exists(), f"{target} does not exist"
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors_of(target), f"{target.name} has no heading {anchor!r}"


def test_every_page_can_be_found_from_the_index():
    """From docs/README.md links lead to every page of the documentation."""
    seen, waiting = set(), [ROOT / "docs/README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        waiting += [target / "README.md" if target.is_dir() else target for target, _ in links_of(page)]

    assert {
        page.relative_to(ROOT) for page in PAGES if page.is_relative_to(ROOT / "docs") if page not in seen
    } == set()
