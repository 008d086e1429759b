"""Pictures in the documentation are those that the code beside them makes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "pictures"),
    [
        ("notebooks", {"loss": "notebooks-loss"}),
        ("media", {"weights": "media-weights", "confusion": "media-confusion", "roc": "media-roc"}),
    ],
    ids=["notebooks", "media"],
)
def test_pictures_of_a_page_are_those_that_its_code_saves(tmp_path, user_environment, page, pictures):
    """Who runs the code of a page gets the very files that the page shows."""
    text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")

    subprocess.run(
        [sys.executable, "-c", "\n".join(BLOCKS.findall(text))], cwd=tmp_path, env=user_environment, check=True, timeout=110,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    for saved, shown in pictures.items():
        assert f"]({shown}.svg)" in text
        assert (tmp_path / f"{saved}.svg").read_bytes() == (DOCS / "how-to" / f"{shown}.svg").read_bytes()
