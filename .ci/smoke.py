"""Use the installed wheel as a user would who installed nothing else.

Run by `.ci/run` with the Python of a fresh environment that holds the wheel and its requirements only, in
mode -I and from an empty folder, so that the checkout cannot be what is imported.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from importlib.metadata import Distribution, distribution, distributions, requires
from pathlib import Path

MAX_BYTES = 60 * 10**6
MAX_PACKAGES = 25
TOOLS = {"pip", "setuptools"}
"""What a fresh environment holds before anything is installed."""

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
"""A grey pixel as a PNG."""

COMMAND = Path(sys.executable).parent / "otel-experiments"


def require(condition: object, what: str) -> None:
    """End the run with a text unless the condition holds."""
    if not condition:
        sys.exit(f"The wheel does not hold up: {what}")


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def canonical(name: str) -> str:
    """Return the name of a package as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_import() -> None:
    """The package comes from this environment, with its types marked."""
    import otel_experiments as ox  # noqa: PLC0415 - what is tested

    package = Path(ox.__file__).resolve().parent
    require(
        package.is_relative_to(Path(sys.prefix).resolve()), f"{package} was imported, not the installed one"
    )
    require((package / "py.typed").is_file(), "py.typed is missing")
    require(ox.__version__ == distribution("otel-experiments").version, "__version__ is another one")


def check_run() -> None:
    """A run is recorded and read, from Python and from the command line."""
    import otel_experiments as ox  # noqa: PLC0415 - what is tested

    with ox.start_run("smoke", experiment="wheel", config={"lr": 0.5}) as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1)}, step=step)
    stored = ox.run("smoke")
    require(stored.state == "succeeded", f"the run's state is {stored.state}")
    require(stored.metrics["loss"].count == 3, "a point is missing")
    require(stored.params["lr"] == 0.5, "a param is missing")
    ox.shutdown()

    answer = run_command("--help")
    require(answer.returncode == 0 and "Usage: otel-experiments" in answer.stdout, f"--help: {answer}")
    answer = run_command("runs")
    require(answer.returncode == 0 and "smoke" in answer.stdout, f"runs: {answer}")


def missing_demo() -> str:
    """The demo without scikit-learn: exit code 6 and a text."""
    answer = run_command("demo")
    require(answer.returncode == 6, f"demo without scikit-learn exits {answer.returncode}: {answer.stderr}")
    return answer.stderr


def missing_receiver() -> str:
    """A request compressed with zstd to a receiver without zstandard: a refusal in plain text."""
    from otel_experiments.receiver import Receiver  # noqa: PLC0415 - what is tested

    with Receiver("received.db", grpc=None, http="127.0.0.1:0") as receiver:
        assert receiver.http_port is not None
        connection = HTTPConnection("127.0.0.1", receiver.http_port, timeout=60)
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"}
        connection.request("POST", "/v1/traces", body=b"(\xb5/\xfd", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
    require(answer.status == 415, f"zstd without zstandard is answered with {answer.status}: {text}")
    return text


def missing_frames() -> str:
    """A table of pandas without pandas."""
    import otel_experiments as ox  # noqa: PLC0415 - what is tested

    try:
        ox.runs(limit=0).to_pandas()
    except ImportError as error:
        return str(error)
    return "a table"


def missing_postgres() -> str:
    """Runs in PostgreSQL without psycopg."""
    import otel_experiments as ox  # noqa: PLC0415 - what is tested

    try:
        ox.runs(store="postgresql:///runs")
    except ImportError as error:
        return str(error)
    return "runs"


def missing_mcp() -> str:
    """A server for agents without the SDK of its protocol."""
    answer = run_command("mcp")
    require(answer.returncode == 6, f"mcp without the SDK exits {answer.returncode}: {answer.stderr}")
    return answer.stderr


def missing_stats() -> str:
    """A test by ranks without SciPy."""
    from otel_experiments.analysis.samples import compare_samples  # noqa: PLC0415 - what is tested

    try:
        compare_samples([1.0, 2.0], {"b": [3.0, 4.0]}, method="mann-whitney")
    except ImportError as error:
        return str(error)
    return "a test"


def missing_remote() -> str:
    """Artifacts at an URL without fsspec."""
    from otel_experiments.artifacts.place import blobs_for  # noqa: PLC0415 - what is tested
    from otel_experiments.model.store_location import StoreLocation  # noqa: PLC0415 - as above

    try:
        blobs_for(StoreLocation.parse("x.db"), "s3://bucket/artifacts")
    except ImportError as error:
        return str(error)
    return "a place"


def missing_media() -> str:
    """A picture that was logged as a file, read back without Pillow and NumPy."""
    import otel_experiments as ox  # noqa: PLC0415 - what is tested

    Path("picture.png").write_bytes(base64.b64decode(PICTURE))
    with ox.start_run("with a picture") as run:
        run.log({"img": ox.Image("picture.png")})
    ox.shutdown()
    try:
        ox.run("with a picture").media["img"].last.read()
    except ImportError as error:
        return str(error)
    return "a picture"


MISSING: dict[str, Callable[[], str]] = {
    "demo": missing_demo,
    "frames": missing_frames,
    "mcp": missing_mcp,
    "media": missing_media,
    "postgres": missing_postgres,
    "receiver": missing_receiver,
    "remote": missing_remote,
    "stats": missing_stats,
}
"""For each extra a way to run into its absence; answers with the text that the user then sees."""


def check_missing_extras() -> None:
    """Whatever needs an extra says so, with the command that installs it, and without a traceback."""
    metadata = distribution("otel-experiments").metadata
    extras = set(metadata.get_all("Provides-Extra") or ()) - {"dev", "all"}
    require(extras == set(MISSING), f"extras {sorted(extras)} but tried {sorted(MISSING)}: add to MISSING")
    for extra, provoke in MISSING.items():
        text = provoke()
        wanted = f"pip install 'otel-experiments[{extra}]'"
        require(wanted in text, f"without extra {extra!r} the text does not say {wanted!r}: {text}")
        require("Traceback" not in text, f"without extra {extra!r} there is a traceback: {text}")


def check_packages() -> None:
    """The core is small, and nothing that only developers or extras need came with it."""
    installed: dict[str, Distribution] = {
        canonical(found.metadata["Name"]): found
        for found in distributions()
        if canonical(found.metadata["Name"]) not in TOOLS
    }
    optional = {
        canonical(re.split(r"[^\w.-]", line, maxsplit=1)[0])
        for line in requires("otel-experiments") or ()
        if "extra ==" in line
    }
    leaked = optional & set(installed)
    require(not leaked, f"packages of extras are installed: {sorted(leaked)}")

    sizes = {name: installed_bytes(found) for name, found in installed.items()}
    total_bytes = sum(sizes.values())
    print(f"{len(installed)} packages, {total_bytes / 1e6:.1f} MB; the largest:")
    for name in sorted(sizes, key=lambda name: -sizes[name])[:5]:
        print(f"  {name} {sizes[name] / 1e6:.1f} MB")
    require(len(installed) <= MAX_PACKAGES, f"more than {MAX_PACKAGES} packages: {sorted(installed)}")
    require(total_bytes <= MAX_BYTES, f"more than {MAX_BYTES / 1e6:g} MB")


def print_import_cost() -> None:
    """Say what importing costs beside OpenTelemetry; only told, because a loaded machine is no defect."""

    def cost_s(statement: str) -> float:
        code = f"import time\nbefore = time.process_time()\n{statement}\nprint(time.process_time() - before)"
        command = [sys.executable, "-I", "-c", code]
        return min(
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - ours
            for _ in range(9)
        )

    sdk_s = cost_s("import opentelemetry.sdk.trace, opentelemetry.sdk.metrics")
    import_s = cost_s("import otel_experiments")
    first_use_s = cost_s("import otel_experiments as ox; ox.start_run")
    print(
        f"CPU to import: {import_s * 1e3:.0f} ms, with the first use of a name {first_use_s * 1e3:.0f} ms, "
        f"{first_use_s / sdk_s:.2f}x the {sdk_s * 1e3:.0f} ms of opentelemetry.sdk.trace and .metrics"
    )


def installed_bytes(found: Distribution) -> int:
    """Return what the files of a package take on disk."""
    paths = {Path(str(found.locate_file(file))) for file in found.files or ()}
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    check_packages()
    check_import()
    check_run()
    check_missing_extras()
    print_import_cost()
    print("The wheel holds up.")
