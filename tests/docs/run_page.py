"""Run the blocks of one page in order: a process of its own, so that no page disturbs another or the tests.

Reads the blocks as JSON on stdin, writes what each printed as JSON to the file that is its argument. Python blocks
share one namespace, commands share the working directory, and the first block that fails is the last.
"""

import contextlib
import io
import json
import subprocess
import sys
import traceback
from pathlib import Path


def run_python(block, namespace):
    """Return (what the block printed, what went wrong or an empty text)."""
    printed = io.StringIO()
    # Blank lines before it give a traceback the line numbers of the page.
    source = "\n" * (block["line"] - 1) + block["body"]
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, block["page"], "exec"), namespace)
    except BaseException:
        return printed.getvalue(), traceback.format_exc()
    return printed.getvalue(), ""


def run_command(block):
    """Return (what the command printed on both streams, what went wrong or an empty text)."""
    answer = subprocess.run(
        ["bash", "-c", block["body"]],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != block["exit_code"]:
        return (
            answer.stdout,
            f"exit code {answer.returncode} instead of {block['exit_code']}\n{answer.stdout}",
        )
    return answer.stdout, ""


def main():
    """Run all blocks, as far as they go."""
    namespace = {"__name__": "__main__"}
    results = []
    for block in json.load(sys.stdin):
        if block["kind"] == "file":
            Path(block["name"]).write_text(block["body"], encoding="utf-8")
            printed, wrong = "", ""
        elif block["kind"] == "python":
            printed, wrong = run_python(block, namespace)
        else:
            printed, wrong = run_command(block)
        results.append({"printed": printed, "wrong": wrong})
        if wrong:
            break
    Path(sys.argv[1]).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
