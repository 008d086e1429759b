"""Which packages are installed, as the folders of installers say it."""

import json
import sys
from importlib.metadata import distributions

import pytest
from packaging.version import Version

from otel_experiments.record.snapshot import packages as subject
from otel_experiments.record.snapshot.packages import digest_of_code, installed_packages


def install(folder, name, *, url=None, editable=True):
    """Make the folder of an installed package."""
    info = folder / name
    info.mkdir(parents=True)
    if url is not None:
        told = {"url": url, "dir_info": {"editable": editable}}
        (info / "direct_url.json").write_text(json.dumps(told))


def test_names_and_versions_are_those_that_the_metadata_says():
    """What the names of folders say of this environment is what the standard library reads from the files."""
    found, _ = installed_packages()

    wanted = {}
    for one in distributions():
        wanted.setdefault(one.metadata["Name"].lower().replace("_", "-").replace(".", "-"), one.version)
    # Folders have versions in their normal form: 0.0.21 for v0.0.21.
    assert dict(line.split("==") for line in found.splitlines()) == {
        name: str(Version(version)) for name, version in wanted.items()
    }


def test_a_package_that_is_there_twice_is_the_one_that_imports_find(tmp_path):
    """The first folder of the path wins, whatever the spelling of the name."""
    install(tmp_path / "one", "My_Package-2.0.dist-info")
    install(tmp_path / "two", "my.package-1.0.dist-info")
    install(tmp_path / "two", "other-0.1.post1+cu12.egg-info")
    (tmp_path / "two" / "no-package").mkdir()

    found, editable = installed_packages(
        [str(tmp_path / "one"), str(tmp_path / "gone"), str(tmp_path / "two")]
    )

    assert found.splitlines() == ["my-package==2.0", "other==0.1.post1+cu12"]
    assert editable == {}


def test_an_editable_package_is_known_by_the_digest_of_its_code(tmp_path):
    """Two runs with one version and different code differ; other files and caches change nothing."""
    source = tmp_path / "my source"
    (source / "pkg" / "__pycache__").mkdir(parents=True)
    (source / "pkg" / "a.py").write_text("x = 1")
    install(tmp_path / "site", "pkg-1.0.dist-info", url=source.as_uri())

    _, first = installed_packages([str(tmp_path / "site")])
    (source / "pkg" / "__pycache__" / "a.py").write_text("cache")
    (source / "notes.txt").write_text("notes")
    _, same = installed_packages([str(tmp_path / "site")])
    (source / "pkg" / "a.py").write_text("x = 2")
    _, changed = installed_packages([str(tmp_path / "site")])

    assert first["pkg"]["path"] == str(source)
    assert first["pkg"]["hash"].startswith("sha256:")
    assert same == first
    assert changed["pkg"]["hash"] != first["pkg"]["hash"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"url": 3, "dir_info": {"editable": true}}', '{"dir_info": {"editable": true}}', '{"url": "file:///x"}',
     '{"url": "https://x", "dir_info": {"editable": true}}', '{"url": "file:///x", "dir_info": {"editable": false}}'],
)  # fmt: skip
def test_what_an_installer_wrote_wrongly_is_no_editable_package(tmp_path, text):
    """A damaged file of one package costs none of the others."""
    install(tmp_path, "pkg-1.0.dist-info")
    (tmp_path / "pkg-1.0.dist-info" / "direct_url.json").write_text(text)

    assert installed_packages([str(tmp_path)]) == ("pkg==1.0", {})


def test_a_folder_with_too_much_code_has_no_digest(tmp_path, monkeypatch):
    """The number of files, their bytes and the time are bounded."""
    for name in "abc":
        (tmp_path / f"{name}.py").write_text("12345")

    assert digest_of_code(tmp_path) is not None
    monkeypatch.setattr(subject, "MAX_FILES", 3)
    monkeypatch.setattr(subject, "MAX_HASHED_BYTES", 15)
    assert digest_of_code(tmp_path) is not None
    monkeypatch.setattr(subject, "MAX_HASHED_BYTES", 14)
    assert digest_of_code(tmp_path) is None
    monkeypatch.setattr(subject, "MAX_HASHED_BYTES", 15)
    monkeypatch.setattr(subject, "MAX_FILES", 2)
    assert digest_of_code(tmp_path) is None
    monkeypatch.setattr(subject, "MAX_FILES", 3)
    assert digest_of_code(tmp_path, deadline_s=-1.0) is None


def test_this_interpreter_has_packages():
    """The path that is looked at by default is the one of imports."""
    assert installed_packages(sys.path)[0] == installed_packages()[0] != ""
