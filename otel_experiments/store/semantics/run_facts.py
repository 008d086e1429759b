"""Where a run ran and the key it has, as a search asks for it, and which of two versions is the later one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import FactField, PackageField
from otel_experiments.semconv import attributes

if TYPE_CHECKING:
    from otel_experiments.model.search import FactName, SearchField

FACT_ATTRIBUTES: Final[Mapping[FactName, str]] = {
    "git.commit": attributes.VCS_REF_HEAD_REVISION,
    "git.branch": attributes.VCS_REF_HEAD_NAME,
    "git.repository": attributes.VCS_REPOSITORY_URL_FULL,
    "environment.python": attributes.PROCESS_RUNTIME_VERSION,
    "host": attributes.HOST_NAME,
    "command": attributes.PROCESS_COMMAND,
    "key": attributes.ML_RUN_KEY,
}
"""The attribute of the resource; `command` is the arguments where they are known."""
_VERSIONS: Final = frozenset({"environment.python"})
_RELEASE: Final = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(.*)", re.DOTALL)
_BEFORE: Final = re.compile(r"[-_.]?(dev|a|alpha|b|beta|c|rc|pre|preview)[-_.]?([0-9]*)", re.IGNORECASE)


def fact_of(resource: Mapping[str, object], name: FactName) -> str:
    """Return what a resource tells; an empty text where it tells nothing."""
    if name == "command":
        arguments = resource.get(attributes.PROCESS_COMMAND_ARGS)
        if isinstance(arguments, Sequence) and not isinstance(arguments, str | bytes):
            joined = " ".join(one for one in arguments if isinstance(one, str))
            if joined:
                return joined
    found = resource.get(FACT_ATTRIBUTES[name])
    return found if isinstance(found, str) else ""


def is_version(field: SearchField) -> bool:
    """Tell whether `<` and `>` of the field, and its order, are those of versions."""
    return isinstance(field, PackageField) or (isinstance(field, FactField) and field.name in _VERSIONS)


def version_key(text: object) -> str | None:
    """Return a text by which versions sort: 2.1rc1, 2.1, 2.1.1, 2.10. SQLite calls it as `ox_version`.

    What follows a plus is left out, zeros at the end count nothing, and a text that begins with no number comes first.
    """
    if not isinstance(text, str):
        return None
    found = _RELEASE.match(text.strip())
    if found is None:
        return f" {text}"
    numbers = found[1].split(".")
    while len(numbers) > 1 and not numbers[-1].strip("0"):
        numbers.pop()
    release = ".".join(number.lstrip("0")[:20].rjust(20, "0") for number in numbers)
    rest = found[2].partition("+")[0]
    before = _BEFORE.match(rest)
    if before is not None:
        stage = before[1][0].lower().translate({ord("d"): " ", ord("p"): "r", ord("c"): "r"})
        return f"{release}*{stage}{before[2][:20].rjust(20, '0')}"
    return f"{release}-{rest}" if rest else f"{release},"
