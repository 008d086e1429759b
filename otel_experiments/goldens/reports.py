"""Reports of comparisons, in the form that is asked for; each form is a module of `golden` and imported on use."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.report.escape import marker
from otel_experiments.golden.report.text import render_text
from otel_experiments.goldens.paths import write_text

ReportFormat = Literal["text", "json", "junit", "md", "html", "github"]

_ENDINGS: Final[dict[ReportFormat, str]] = {
    "json": ".json",
    "md": ".md",
    "html": ".html",
    "junit": ".junit.xml",
}


def render(
    comparison: Comparison,
    form: ReportFormat,
    *,
    path: str = "",
    accept: str = "",
    explain: str = "",
    with_score: bool = False,
) -> str:
    """Return the report of a comparison.

    Args:
        comparison: what was found.
        form: which kind of report.
        path: the golden's file, where the report points at it.
        accept: the command that accepts the candidate.
        explain: the command that explains a finding.
        with_score: whether a text says what the compatible score alone would have decided.
    """
    match form:
        case "text":
            return render_text(comparison, accept=accept, explain=explain, with_score=with_score)
        case "json":
            from otel_experiments.golden.report.json import render_json  # noqa: PLC0415 - one form is asked for

            return render_json(comparison)
        case "md":
            from otel_experiments.golden.report.markdown import render_markdown  # noqa: PLC0415 - as above

            return render_markdown(comparison, accept=accept, explain=explain)
        case "junit":
            from otel_experiments.golden.report.junit import render_junit  # noqa: PLC0415 - as above

            return render_junit(comparison)
        case "html":
            from otel_experiments.golden.report.html import render_html  # noqa: PLC0415 - as above

            return render_html(comparison, accept=accept, explain=explain)
        case "github":
            return "\n".join(annotate(comparison, path=path)[0])


def annotate(comparison: Comparison, *, path: str = "") -> tuple[list[str], str]:
    """Return GitHub's workflow commands, which point into the golden's file, and the step summary's Markdown."""
    from otel_experiments.golden.report.github import find_template_lines, render_github  # noqa: PLC0415 - as above

    name = comparison.golden_name
    lines = {}
    if path and Path(path).is_file() and comparison.golden is not None:
        lines[name] = find_template_lines(Path(path).read_text(encoding="utf-8"), comparison.golden)
    return render_github(comparison, template_lines=lines, files={name: path} if path else {})


def write_reports(folder: Path, name: str, comparison: Comparison, *, accept: str = "") -> list[Path]:
    """Write a comparison's JSON, markdown, HTML and JUnit reports into a folder; returns the files.

    `accept` is the command that accepts the candidate, for the forms that people read.

    Where the folder has reports of another golden under this name, from another folder, a digest tells them apart.

    Args:
        folder: where the reports go.
        name: what their files are called.
        comparison: what `compare` returned.
        accept: the command that accepts the candidate.

    Raises:
        OSError: a file cannot be written.
    """
    name = _free_name(folder, name, comparison.golden_name)
    written = []
    for form, ending in _ENDINGS.items():
        path = folder / f"{name}{ending}"
        write_text(path, render(comparison, form, path=name, accept=accept))
        written.append(path)
    return written


def write_refusal(folder: Path, golden_name: str, text: str) -> list[Path]:
    """Write Markdown and JUnit that say why nothing was compared, in place of reports of an earlier comparison.

    Raises:
        OSError: a file cannot be written.
    """
    from otel_experiments.golden.report.refusal import render_refusal_junit, render_refusal_markdown  # noqa: PLC0415 - as above

    name = _free_name(folder, Path(golden_name).name or "golden", golden_name)
    texts = {
        "md": render_refusal_markdown(golden_name, text),
        "junit": render_refusal_junit(golden_name, text),
    }
    written = []
    for form, ending in _ENDINGS.items():
        path = folder / f"{name}{ending}"
        if form in texts:
            write_text(path, texts[form])
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def _free_name(folder: Path, name: str, golden_name: str) -> str:
    """Return the name of a golden's reports; where another folder's golden has reports of it, with a digest."""
    if not _is_of_another(folder / f"{name}{_ENDINGS['md']}", golden_name):
        return name
    return f"{name}-{blake2b(golden_name.encode('utf-8', 'surrogatepass'), digest_size=3).hexdigest()}"


def _is_of_another(report: Path, golden_name: str) -> bool:
    """Tell whether a Markdown report is there and, by its first line, about another golden."""
    if not report.is_file():
        return False
    with report.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n") != marker(golden_name)
