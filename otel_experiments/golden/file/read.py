"""A golden from text: what a person merged, edited or cut is refused with file and line, never compared.

A newer major version is refused, unknown lines of a newer minor one are kept; an older major version is
refused with how to upgrade it. Source: golden trace design, section 7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, NoReturn, get_args

from otel_experiments.errors import GoldenError, GoldenInvalidError
from otel_experiments.golden.baseline import Golden, Variant
from otel_experiments.golden.canonical.form import Form, Number, Order
from otel_experiments.golden.canonical.roles import DEFAULTS_VERSION, Rules
from otel_experiments.golden.canonical.trace import MetricSeries
from otel_experiments.golden.file.scan import OtgSyntaxError, Scanner
from otel_experiments.golden.file.tree import OutlineLine, TreeError, TreeReader, read_outline
from otel_experiments.golden.file.write import MAJOR, MINOR, STATS_VERSION, text_digest
from otel_experiments.golden.policy import IgnoreRule, PolicyName
from otel_experiments.golden.timing.model import StageSample, TimingRun

_CONFLICT: Final = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_END: Final = re.compile(r"^end (\d+) spans (\d+) templates full=([0-9a-f]{16})$")
_RULE_WORDS: Final = ("identity", "config", "index", "metric", "volatile", "unordered", "ordered")
_UNREADABLE: Final = (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError)
_AGAIN: Final = "delete it and record it again: otel-experiments golden capture, or pytest --golden-update"
_MOST_RUNS: Final = 10_000
_REPAIR: Final = f"Take one side as a whole, or {_AGAIN}"


def read_golden(
    text: str, *, path: str = "golden", stats: str | None = None, is_sealed: bool = True
) -> Golden:
    """Return the golden of an `.otg` file's text, with its times where the `.otg.stats` text is given.

    Without `is_sealed` the digest in the last line need not fit: somebody edited the text and stands by it.

    Args:
        text: what the file holds.
        stats: what the file beside it holds.
        path: what errors call the file.
        is_sealed: whether the digest in the last line has to fit.

    Raises:
        GoldenInvalidError: the text is empty, conflicted, cut, edited, or of a version that cannot be read.
    """
    try:
        golden = _FileReader(text, path, is_sealed=is_sealed).read(is_whole_file=True)
    except GoldenError:
        raise
    except _UNREADABLE as error:
        raise GoldenInvalidError(
            path=path, line=None, found=f"a line of it cannot be read ({error})", fix=_REPAIR
        ) from error
    if stats is not None:
        golden.timing, golden.fingerprint = read_stats(stats, path=f"{path}.stats")
    return golden


def read_inline(text: str, *, path: str = "inline golden") -> Golden:
    """Return the golden of a text that stands in a program: no header, curves or last line are needed.

    Raises:
        GoldenInvalidError: a line cannot be read.
    """
    return _FileReader(text, path).read(is_whole_file=False)


class _FileReader:
    def __init__(self, text: str, path: str, *, is_sealed: bool = True) -> None:
        self.path = path
        self.is_sealed = is_sealed
        self.is_whole = True
        self.text = text.replace("\r\n", "\n")
        self.lines = self.text.split("\n")
        self.minor = MINOR
        self.policy: PolicyName = "structural"
        self.order: Order = "lanes"
        self.environment: dict[str, str] = {}
        self.rules = Rules()
        self.schemas: dict[str, str] = {}
        self.ignore: list[IgnoreRule] = []
        self.runs = 1
        self.unknown: list[str] = []
        self.variants: list[Variant] = []
        self.sections: list[tuple[str, int, list[tuple[int, str]]]] = []

    def read(self, *, is_whole_file: bool) -> Golden:
        self.is_whole = is_whole_file
        if is_whole_file:
            self._check_frame()
        self._split(is_whole_file=is_whole_file)
        templates: dict[str, list[OutlineLine]] = {}
        trees: list[tuple[str, int, list[OutlineLine]]] = []
        for head, number, lines in self.sections:
            if head.startswith("template "):
                templates[head.split(" ")[1]] = self._outline(lines, is_inside=True)
            elif head == "" or head.startswith("variant "):
                trees.append((head, number, self._outline(lines, is_inside=False)))
        reader = TreeReader(templates)
        for head, number, outline in trees:
            if not outline and head == "":
                continue
            try:
                form = reader.read(outline, self.order, self.schemas)
            except TreeError as error:
                self._fail(error.number, str(error))
            self.variants.append(self._variant(form, head, number))
        self._read_curves(reader)
        made_with = re.search(r"^rules defaults@(\d+)", self.text, re.MULTILINE)
        golden = Golden(
            variants=self.variants,
            name=self.path,
            policy=self.policy,
            rules=self.rules,
            ignore=tuple(self.ignore),
            environment=self.environment,
            unknown_lines=tuple(self.unknown),
            rules_version=int(made_with.group(1)) if made_with else DEFAULTS_VERSION,
        )
        if not self.variants or golden.is_empty:
            self._fail(None, "it has no spans, and nothing is equal to nothing")
        return golden

    def _fail(self, line: int | None, found: str, fix: str = _REPAIR) -> NoReturn:
        raise GoldenInvalidError(path=self.path, line=line, found=found, fix=fix)

    # --- the frame ---------------------------------------------------------------------------------------------

    def _check_frame(self) -> None:
        if not self.text.strip():
            self._fail(None, "it is empty", f"Restore it from version control, or {_AGAIN}")
        for number, line in enumerate(self.lines, 1):
            if _CONFLICT.match(line):
                self._fail(number, "a merge left conflict markers in it")
        match = re.match(r"otg (\d+)(?:\.(\d+))?$", self.lines[0])
        if match is None:
            self._fail(1, f"its first line is {self.lines[0][:40]!r} and not 'otg {MAJOR}'")
        major, self.minor = int(match.group(1)), int(match.group(2) or 0)
        if major > MAJOR:
            self._fail(
                1,
                f"it has format {major}, and this release reads up to {MAJOR}",
                "Upgrade: pip install --upgrade otel-experiments",
            )
        if major < MAJOR:
            self._fail(
                1,
                f"it has the older format {major}",
                f"Upgrade the file, read the difference, commit it: otel-experiments golden upgrade {self.path}",
            )
        self._check_end()

    def _check_end(self) -> None:
        last = len(self.lines)
        while last and not self.lines[last - 1].strip():
            last -= 1
        match = _END.match(self.lines[last - 1])
        if match is None:
            self._fail(last, "it is cut: its last line is not 'end N spans ...'")
        body = "\n".join(self.lines[: last - 1]) + "\n"
        if self.is_sealed and text_digest(body) != match.group(3):
            self._fail(
                last,
                "it was changed by hand: the digest in its last line is not that of the lines above",
                f"Accept a change by recording it (golden update), or seal your edit: otel-experiments golden upgrade {self.path}",
            )
        self.lines = self.lines[: last - 1]

    # --- sections ----------------------------------------------------------------------------------------------

    def _split(self, *, is_whole_file: bool) -> None:
        """Tell header, templates, trees and curves apart."""
        current: list[tuple[int, str]] = []
        self.sections.append(("", 0, current))
        in_header = is_whole_file
        is_tree = True
        for number, raw in enumerate(self.lines, 1):
            if is_whole_file and number == 1:
                continue
            line = raw.rstrip()
            content = line.lstrip(" ")
            if not content:
                in_header = False
                continue
            if content.startswith("#"):
                continue
            if in_header:
                self._header_line(number, line)
            elif re.match(r"(?:template|variant|curve|series) ", line):
                current = []
                self.sections.append((line, number, current))
                is_tree = line.startswith("variant ")
            else:
                if not is_tree and line == content:  # back at the first column: the tree after the templates
                    current = self.sections[0][2]
                    is_tree = True
                current.append((number, line))

    def _outline(self, lines: Sequence[tuple[int, str]], *, is_inside: bool) -> list[OutlineLine]:
        if is_inside:
            lines = [(number, line.removeprefix("  ")) for number, line in lines]
        elif lines and not self.is_whole:
            indent = min(len(line) - len(line.lstrip(" ")) for _, line in lines)
            lines = [(number, line[indent:]) for number, line in lines]
        try:
            return read_outline(lines)
        except TreeError as error:
            self._fail(error.number, str(error))

    # --- the header --------------------------------------------------------------------------------------------

    def _header_line(self, number: int, line: str) -> None:  # noqa: C901 - one case a word
        word, _, rest = line.partition(" ")
        rest = re.sub(r"\s+#.*$", "", rest)
        try:
            if word == "policy":
                self.policy = self._one_of(number, rest, get_args(PolicyName))  # type: ignore[assignment] # one of the literal's words
            elif word == "order":
                self.order = self._one_of(number, rest, get_args(Order))  # type: ignore[assignment] # one of the literal's words
            elif word == "env":
                self.environment = _read_pairs(Scanner(rest))
            elif word == "rules":
                self.rules = _read_rules(Scanner(rest))
            elif word == "schema":
                scanner = Scanner(rest)
                scope = scanner.string()
                scanner.expect("=")
                self.schemas[scope] = scanner.string()
            elif word == "ignore":
                self.ignore.append(_read_ignore(Scanner(rest)))
            elif word == "runs":
                self.runs = int(rest)
            elif self.minor > MINOR:
                self.unknown.append(line)
            else:
                self._fail(number, f"its header line {line[:40]!r} is not known")
        except (OtgSyntaxError, ValueError) as error:
            if isinstance(error, GoldenInvalidError):
                raise
            self._fail(number, f"its header line {line[:40]!r} cannot be read ({error})")

    def _one_of(self, number: int, found: str, allowed: Sequence[str]) -> str:
        if found not in allowed:
            self._fail(number, f"{found!r} is none of {', '.join(allowed)}")
        return found

    def _variant(self, form: Form, head: str, number: int) -> Variant:
        if not head:
            return Variant(form, runs=self.runs)
        scanner = Scanner(head, len("variant "))
        try:
            name = scanner.name()
            pairs = _read_pairs(scanner)
            reason = scanner.string() if not scanner.is_done else ""
        except OtgSyntaxError as error:
            self._fail(number, f"its line {head[:40]!r} cannot be read ({error})")
        runs = int(pairs.pop("runs", "1"))
        return Variant(form, name=name, environment=pairs, reason=reason, runs=runs)

    # --- curves ------------------------------------------------------------------------------------------------

    def _read_curves(self, reader: TreeReader) -> None:
        found: set[str] = set()
        for head, number, lines in self.sections:
            try:
                if head.startswith("curve "):
                    found.add(self._curve(head, lines, reader, number))
                elif head.startswith("series "):
                    self._series(head, lines, number)
            except (OtgSyntaxError, ValueError) as error:
                if isinstance(error, GoldenInvalidError):
                    raise
                self._fail(number, f"its line {head[:40]!r} and the values below cannot be read ({error})")
        for name, nodes in reader.curves.items():
            if name in found:
                continue
            for node, metric in nodes:  # an inline golden names a metric without its values: they are free
                node.metrics[metric] = [[None] * node.size]

    def _curve(self, head: str, lines: Sequence[tuple[int, str]], reader: TreeReader, number: int) -> str:
        match = re.match(r"curve (~.+?) n=(\d+) runs=(\d+)(?: every=(\d+) full=([0-9a-f]+))?$", head)
        if match is None:
            self._fail(number, f"its line {head[:40]!r} is no head of a curve")
        name, count, runs = match.group(1), int(match.group(2)), int(match.group(3))
        every, digest = int(match.group(4) or 0), match.group(5) or ""
        nodes = reader.curves.get(name)
        if nodes is None:
            self._fail(number, f"no line of the tree carries the curve {name}")
        total = sum(node.size for node, _ in nodes)
        if total != count:
            self._fail(number, f"the curve {name} has {count} values and its spans are {total}")
        columns = [self._thick(column, every, count, number) for column in _read_rows(lines, runs)]
        at = 0
        for node, metric in nodes:
            node.metrics[metric] = [column[at : at + node.size] for column in columns]
            if every:
                node.thinned[metric] = every
                node.digests[metric] = digest
            at += node.size
        return name

    def _thick(self, kept: list[Number], every: int, count: int, number: int) -> list[Number]:
        if not every:
            if len(kept) != count:
                self._fail(number, f"the curve says {count} values and has {len(kept)}")
            return kept
        column: list[Number] = [None] * count
        column[::every] = kept
        return column

    def _series(self, head: str, lines: Sequence[tuple[int, str]], number: int) -> None:
        scanner = Scanner(head, len("series "))
        label = scanner.name() if scanner.text.startswith('"', scanner.at) else scanner.word()
        name, phase = label, ""
        if "@" in label and not head.startswith('series "'):
            name, _, phase = label.rpartition("@")
        elif scanner.accept("@"):
            phase = scanner.name()
        pairs = dict(re.findall(r"(runs|variant)=(\d+)", scanner.text[scanner.at :]))
        runs = int(pairs.get("runs", "1"))
        at = int(pairs.get("variant", "0"))
        if at >= len(self.variants):
            self._fail(number, f"there is no variant {at}")
        form = self.variants[at].form
        if not 0 < runs <= _MOST_RUNS:
            self._fail(number, f"it has {runs} runs, and a golden has {_MOST_RUNS} at most")
        all_runs = [list(run) for run in form.series] or [[] for _ in range(runs)]
        for run, series in _read_series(name, phase.strip('"'), lines, runs):
            all_runs[run].append(series)
        form.series = tuple(tuple(run) for run in all_runs)


def _read_pairs(scanner: Scanner) -> dict[str, str]:
    found: dict[str, str] = {}
    while not scanner.is_done and not scanner.text.startswith('"', scanner.at):
        key = scanner.key()
        scanner.expect("=")
        found[key] = scanner.string() if scanner.text.startswith('"', scanner.at) else scanner.word()
    return found


def _read_rules(scanner: Scanner) -> Rules:
    lists: dict[str, tuple[str, ...]] = {}
    numeric = "strict"
    keep_stack = False
    while not scanner.is_done:
        key = scanner.key()
        if key.startswith("defaults@"):
            continue
        scanner.expect("=")
        if key in _RULE_WORDS:
            value = scanner.value()
            if not isinstance(value, tuple) or value[0] != "list":
                raise scanner.fail("a list of texts")
            lists[key] = tuple(str(one) for one in value[1:])
        elif key == "numeric":
            numeric = scanner.word()
        elif key == "stack":
            keep_stack = scanner.word() == "keep"
        else:
            raise scanner.fail(f"a rule (one of {', '.join(_RULE_WORDS)}, numeric, stack)")
    return Rules(
        **lists,
        numeric_types="loose" if numeric == "loose" else "strict",
        keep_stack=keep_stack,
    )


def _read_ignore(scanner: Scanner) -> IgnoreRule:
    path = scanner.string()
    code = scanner.word()
    until = None
    scanner.skip()
    if scanner.accept("until="):
        until = date.fromisoformat(scanner.word())
        scanner.skip()
    reason = scanner.string() if not scanner.is_done else ""
    return IgnoreRule(path, code, reason=reason, until=until)


def _run_list(text: str) -> list[int]:
    return [int(run) for run in Scanner(text).index_list() if run is not None]


def _read_rows(lines: Sequence[tuple[int, str]], runs: int) -> list[list[Number]]:
    """Return a column for each run; runs that are not told apart share one."""
    columns: list[list[Number]] = [[] for _ in range(runs)]
    present = list(range(runs))
    for _, raw in lines:
        line = raw.strip()
        if line.startswith("run "):
            present = _run_list(line[4:])
            continue
        _, _, values = line.partition(" ")
        row: list[Number] = [None if one == "-" else _number(one) for one in values.split(" | ")]
        for run in present:
            columns[run] += row
    return columns


def _number(text: str) -> float | int:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def _read_series(
    name: str, phase: str, lines: Sequence[tuple[int, str]], runs: int
) -> list[tuple[int, MetricSeries]]:
    indices: dict[int, list[float]] = {}
    values: dict[int, list[float]] = {}
    totals: dict[int, int] = {}
    present = list(range(runs))
    for _, raw in lines:
        line = raw.strip()
        if line.startswith("run "):
            present = _run_list(line[4:])
        elif line.startswith("at "):
            listed, _, total = line[3:].partition(" of ")
            found = [] if listed == "nothing" else Scanner(listed).index_list()
            for run in present:
                indices[run] = [float(index) for index in found if index is not None]
                totals[run] = int(total or 0)
        else:
            row = [float(one) for one in line.partition(" ")[2].split(" | ")]
            for run in present:
                values.setdefault(run, []).extend(row)
    return [
        (run, MetricSeries(name, own, values.get(run, []), phase, totals[run]))
        for run, own in sorted(indices.items())
    ]


# --- times -------------------------------------------------------------------------------------------------------


def read_stats(text: str, *, path: str = "golden.stats") -> tuple[list[TimingRun], dict[str, str]]:
    """Return the times of each golden run, and the host they were taken on.

    Raises:
        GoldenInvalidError: a line is no JSON, or the version is newer.
    """
    rows: list[Mapping[str, object]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            found = (
                "a merge left conflict markers in it"
                if _CONFLICT.match(line)
                else f"the line is no JSON ({error.msg})"
            )
            raise GoldenInvalidError(path=path, line=number, found=found, fix=_STATS_FIX) from error
        if not isinstance(row, dict):
            raise GoldenInvalidError(path=path, line=number, found="the line is no object", fix=_STATS_FIX)
        rows.append(row)
    if not rows or type(rows[0].get("otg_stats")) is not int:
        raise GoldenInvalidError(path=path, line=1, found="its first line is no header", fix=_STATS_FIX)
    head = rows[0]
    if int(str(head["otg_stats"])) > STATS_VERSION:
        raise GoldenInvalidError(
            path=path,
            line=1,
            found=f"it has format {head['otg_stats']}, and this release reads up to {STATS_VERSION}",
            fix="Upgrade: pip install --upgrade otel-experiments",
        )
    try:
        return _timing_runs(head, rows[1:]), {str(k): str(v) for k, v in dict(head.get("host") or {}).items()}  # type: ignore[call-overload] # a JSON object, or the except below
    except _UNREADABLE as error:
        raise GoldenInvalidError(
            path=path, line=None, found=f"a line lacks something ({error!r})", fix=_STATS_FIX
        ) from error


_STATS_FIX: Final = (
    "Delete it (times are then not compared) and record it anew: otel-experiments golden update --timing"
)


def _timing_runs(
    head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> list[TimingRun]:  # parsed JSON
    roots = list(head["root_ns"])
    count = len(roots)
    if head["runs"] != count:
        message = f"{head['runs']} runs, and {count} durations"
        raise ValueError(message)
    loads = list(
        head.get("host_load") or head.get("neighbours") or [None] * count
    )  # the second is its older name
    stages: list[dict[str, StageSample]] = [{} for _ in range(count)]
    for row in rows:
        counts = list(row["count"])
        lower, upper = (
            _samples(counts, row[word]) if word in row else [None] * count for word in ("lower", "upper")
        )
        for run, sample in enumerate(_samples(counts, row)):
            if sample is not None:
                stages[run][str(row["path"])] = replace(sample, lower=lower[run], upper=upper[run])
    return [
        TimingRun(own, None if root is None else float(root), None if load is None else float(load))
        for own, root, load in zip(stages, roots, loads, strict=True)
    ]


def _samples(counts: Sequence[Any], times: Mapping[str, Any]) -> list[StageSample | None]:
    """Return one sample a run from columns of times; None for a run without the stage."""
    columns = [list(times[key]) for key in ("wall_ns", "cpu_ns", "wall_error", "cpu_error")]
    return [
        None
        if count is None or wall is None
        else StageSample(
            int(count),
            float(wall),
            None if cpu is None else float(cpu),
            float(wall_error or 0.0),
            float(cpu_error or 0.0),
        )
        for count, wall, cpu, wall_error, cpu_error in zip(counts, *columns, strict=True)
    ]
