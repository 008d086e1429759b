"""Write `docs/reference/python.md` from the docstrings of public names; `--check` only says whether it is up to date."""

from __future__ import annotations

import sys

from page import written_page
from surface import ROOT

PAGE = ROOT / "docs" / "reference" / "python.md"


def main() -> int:
    """Write the page, or say that it has to be written."""
    made = written_page()
    if "--check" in sys.argv[1:]:
        is_made = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made
        if not is_made:
            print(
                "docs/reference/python.md says something else than the docstrings. Run: python .ci/reference"
            )
        return int(not is_made)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
