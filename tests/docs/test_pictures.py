"""Pictures in the documentation are those that the code beside them makes."""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_picture_of_the_notebook_page_is_the_one_that_its_code_saves(tmp_path, user_environment):
    """Who runs the page's code gets the very file that the page shows."""
    page = (DOCS / "how-to" / "notebooks.md").read_text(encoding="utf-8")

    subprocess.run(
        [sys.executable, "-c", "\n".join(BLOCKS.findall(page))], cwd=tmp_path, env=user_environment, check=True, timeout=110,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    shown = DOCS / "how-to" / "notebooks-loss.svg"
    assert (tmp_path / "loss.svg").read_bytes() == shown.read_bytes()
