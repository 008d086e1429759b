"""Write the rules of pyproject.toml's import contracts into ARCHITECTURE.md; `--check` only says whether they are there.

The column "may not import" of the tree and the list of contracts below the arrows are generated: what they say is
what import-linter holds.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "ARCHITECTURE.md"
PACKAGE = "otel_experiments"
ROW = re.compile(r"^\| (?P<names>[^|]+) \| (?P<is>[^|]+) \|[^|]*\|$", re.MULTILINE)
LIST = re.compile(r"(<!-- contracts -->\n).*?(<!-- end of contracts -->)", re.DOTALL)


def contracts() -> list[dict[str, object]]:
    """Return the import contracts, in their order."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return found


def strangers(name: str) -> Iterator[str]:
    """Yield the packages of the same layer; every package of ours for one of the lowest layer."""
    (layers,) = [list(map(str, one["layers"])) for one in contracts() if one["id"] == "layers"]
    for layer in layers:
        beside = [part.strip("() ") for part in layer.split("|")]
        if name in beside and layer == layers[-1]:
            yield "anything of ours"
        elif name in beside:
            yield from (f"`{one}`" for one in beside if one != name and f"({one})" not in layer)


def forbidden(name: str) -> Iterator[str]:
    """Yield what contracts of the kind `forbidden` refuse to the whole of a package."""
    module = f"{PACKAGE}.{name}"
    for one in contracts():
        sources = {str(source).removesuffix(".**") for source in one.get("source_modules", [])}
        if one["type"] == "forbidden" and module in sources:
            yield from (f"`{str(target).removeprefix(f'{PACKAGE}.')}`" for target in one["forbidden_modules"])


def cell(names: str) -> str:
    """Return what may not be imported by the packages of one row."""
    if names.endswith("(root)") or "__init__" in names:
        return ""
    packages = [name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`(.+?)`", names)]
    found = [rule for name in packages for rule in (*strangers(name), *forbidden(name))]
    return ", ".join(dict.fromkeys(found))


def rewritten(text: str) -> str:
    """Return the page with its generated parts as they should be."""
    head, tree, rest = re.split(r"(?s)(## The tree\n.*?\n(?=## ))", text, maxsplit=1)
    lines = []
    for line in tree.split("\n"):
        found = ROW.match(line)
        if found and not line.startswith(("| folder", "|---")):
            rules = cell(found["names"].strip())
            lines.append(
                f"| {found['names'].strip()} | {found['is'].strip()} | {rules}{' ' if rules else ''}|"
            )
        else:
            lines.append(line)
    named = "".join(f"- {one['name']} (`{one['id']}`)\n" for one in contracts())
    return head + "\n".join(lines) + LIST.sub(lambda found: found[1] + named + found[2], rest)


def main() -> int:
    """Write the page, or say that it has to be written."""
    text = PAGE.read_text(encoding="utf-8")
    made = rewritten(text)
    if "--check" in sys.argv[1:]:
        if made != text:
            print("ARCHITECTURE.md says other rules than pyproject.toml. Run: python .ci/architecture.py")
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
