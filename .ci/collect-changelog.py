"""Move the fragments of `changelog.d/` into CHANGELOG.md.

Usage: python .ci/collect-changelog.py VERSION DATE

The fragments become one section above the newest one, in the order of Keep a Changelog, and are deleted.
"""

from __future__ import annotations

import sys
from pathlib import Path

KINDS = ("added", "changed", "deprecated", "removed", "fixed")


def fragments_of(folder: Path) -> dict[str, list[Path]]:
    """Return the fragments by kind, sorted by name; names that fit no kind are an error."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        slug, _, kind = path.stem.rpartition(".")
        if not slug or kind not in found:
            sys.exit(f"{path.name} is not named SLUG.KIND.md, where KIND is one of: {', '.join(KINDS)}")
        found[kind].append(path)
    return found


def section(version: str, date: str, found: dict[str, list[Path]]) -> str:
    """Return the section of a release."""
    parts = [f"## {version} - {date}\n"]
    for kind, paths in found.items():
        if paths:
            items = "".join(f"- {path.read_text(encoding='utf-8').strip()}\n" for path in paths)
            parts.append(f"### {kind.capitalize()}\n\n{items}")
    return "\n".join(parts)


def main(version: str, date: str) -> None:
    """Rewrite CHANGELOG.md and delete what went into it."""
    root = Path.cwd()
    found = fragments_of(root / "changelog.d")
    if not any(found.values()):
        sys.exit("There is no fragment in changelog.d/: nothing to release.")
    changelog = root / "CHANGELOG.md"
    head, mark, rest = changelog.read_text(encoding="utf-8").partition("\n## ")
    text = f"{head.rstrip()}\n\n{section(version, date, found)}{mark}{rest}"
    changelog.write_text(f"{text.rstrip()}\n", encoding="utf-8")
    for paths in found.values():
        for path in paths:
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
