"""The bytes of artifacts in bundles, and on their way from one store to another."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

import otel_experiments as ox
from otel_experiments._bundle import check_bundle_file
from otel_experiments._merge_artifacts import ArtifactBytes
from otel_experiments.artifacts import lock
from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.artifacts.place import artifacts_directory, blobs_for
from otel_experiments.errors import ArtifactDamagedError, ArtifactMissingError, ArtifactsLockedError
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import BundleManifest, LeftOut
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store
from otel_experiments.store.location import open_blobs
from otel_experiments.store.sqlite.bundle_format import rows_digest, seal_manifest
from otel_experiments.store.sqlite.bundle_write import writing_bundle

RUN = "0af7651916cd43dd8448eb211c80319c"
OTHER = "1bf7651916cd43dd8448eb211c80319c"
LARGE = bytes(range(256)) * 10_000


def digest_of(data):
    """Return the digest of bytes."""
    return f"sha256:{sha256(data).hexdigest()}"


class Maker:
    """Makes stores whose runs have logged artifacts."""

    def __init__(self, folder):
        self.folder = folder

    def log(self, store, name, data, *, run_id=RUN, time_ns=1, **facts):
        """Let a run have logged bytes, or a folder, under a name; return the digest."""
        path = self.folder / store
        blobs = blobs_for(StoreLocation.parse(path), facts.get("place"))
        with blobs.adding() as adding, open_store(path) as opened:
            put = adding.put_bytes(data) if isinstance(data, bytes) else adding.put_folder(data)
            run = Run(run_id, "digits", f"run-{run_id[0]}", RunState.SUCCEEDED, created_ns=time_ns)
            logged = ArtifactLogged(
                run_id, "digits", name, put.digest, time_ns, is_folder=put.is_folder, size_bytes=put.size_bytes,
                file_count=put.file_count, **facts,
            )  # fmt: skip
            opened.apply(WriteBatch(runs=[run], artifacts=[logged]))
        return put.digest

    def apply(self, store, **rows):
        """Put rows into a store."""
        with open_store(self.folder / store) as opened:
            opened.apply(WriteBatch(**rows))

    def bundle(self, store="a.db", name="x.oxb", **options):
        """Return the report of a bundle of all runs of a store."""
        return ox.bundle(None, self.folder / name, store=self.folder / store, **options)

    def blobs(self, name):
        """Return what reads the bytes of a store or a bundle."""
        return open_blobs(StoreLocation.parse(self.folder / name))

    def take(self, source, target="b.db"):
        """Import a store into another, and return the report."""
        return ox.import_store(self.folder / source, store=self.folder / target)


@pytest.fixture
def make(tmp_path):
    """Return what makes stores in the test's folder."""
    return Maker(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two files, of which one is in a folder below it."""
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.txt").write_bytes(b"first")
    (tmp_path / "data" / "deep" / "b.bin").write_bytes(LARGE)
    return tmp_path / "data"


@pytest.mark.parametrize("data", [b"", b"x", b"weights", LARGE], ids=len)
def test_bytes_are_read_from_the_bundle(make, tmp_path, data):
    """The bytes of an artifact come out of the one file, from the beginning, from the middle, and as a file."""
    digest = make.log("a.db", "model", data)

    report = make.bundle()
    (tmp_path / "a.db").unlink()
    blobs = make.blobs("x.oxb")

    with blobs.open(digest) as source:
        assert source.read() == data
    with blobs.open(digest) as source:
        assert source.seek(len(data) // 2) == len(data) // 2
        assert source.read(10) == data[len(data) // 2 :][:10]
        assert source.seek(0, 2) == len(data)
    blobs.copy_to(digest, tmp_path / "out")
    blobs.verify(digest)
    assert (tmp_path / "out").read_bytes() == data
    assert (blobs.has(digest), blobs.size_bytes(digest)) == (True, len(data))
    assert (report.blob_count, report.left_out, blobs.is_there()) == (1, (), True)


def test_a_folder_is_read_from_the_bundle(make, tmp_path, folder):
    """The files of a folder artifact are in the bundle, below the paths that they had."""
    digest = make.log("a.db", "data", folder)

    make.bundle()
    blobs = make.blobs("x.oxb")

    assert [entry.path for entry in blobs.folder(digest)] == ["a.txt", "deep/b.bin"]
    for entry in blobs.folder(digest):
        with blobs.open(entry.digest) as source:
            assert source.read() == (folder / entry.path).read_bytes()


def test_the_same_bytes_are_there_once(make, folder):
    """Bytes that several artifacts share, files of folders among them, take room once."""
    make.log("a.db", "data", folder)
    make.log("a.db", "copy", LARGE)
    make.log("a.db", "again", LARGE, run_id=OTHER)

    report = make.bundle()

    assert report.blob_count == 3
    assert len(LARGE) < report.size_bytes < 2 * len(LARGE)


def test_artifacts_can_be_left_out(make):
    """Without the bytes, or without those that are large, the bundle names what it lacks, and reading that says why."""
    small, large = make.log("a.db", "small", b"1"), make.log("a.db", "large", LARGE, time_ns=2)

    none, some = make.bundle(artifacts=False), make.bundle(name="y.oxb", max_artifact_bytes=100)

    assert set(none.left_out) == {
        LeftOut(large, "large", len(LARGE), "not asked for"),
        LeftOut(small, "small", 1, "not asked for"),
    }
    assert some.left_out == (LeftOut(large, "large", len(LARGE), "too large"),)
    assert make.blobs("y.oxb").has(small)
    with pytest.raises(ArtifactMissingError, match="the bundle was made without them"):
        make.blobs("y.oxb").open(large)
    with open_store(make.folder / "x.oxb", read_only=True) as store:
        assert len(store.artifacts(ArtifactQuery())) == 2


def test_what_another_run_made_is_named(make):
    """An artifact that a run used and that a run outside of the bundle made is named, with its size, and not included."""
    digest = make.log("a.db", "data", LARGE, run_id=OTHER)
    make.log("a.db", "model", b"weights")
    make.apply("a.db", artifact_uses=[ArtifactUsed(RUN, digest, 5, "digits", "data")])

    report = ox.bundle([RUN], make.folder / "x.oxb", store=make.folder / "a.db")

    assert report.left_out == (LeftOut(digest, "data", len(LARGE), "outside"),)
    assert check_bundle_file(make.folder / "x.oxb")[0].left_out == report.left_out


def test_missing_and_damaged_bytes_are_named(make):
    """Bytes that are gone or damaged in the store do not keep a bundle from being made: it names them."""
    gone, bad, good = (
        make.log("a.db", name, name.encode(), time_ns=n) for n, name in enumerate(["gone", "bad", "good"])
    )
    for digest, data in ((gone, None), (bad, b"BAD")):
        path = make.blobs("a.db").path_of(digest)
        path.unlink()
        if data is not None:
            path.write_bytes(data)

    report = make.bundle()

    assert {(one.name, one.why) for one in report.left_out} == {("gone", "missing"), ("bad", "damaged")}
    assert make.blobs("x.oxb").has(good)
    assert not make.blobs("x.oxb").has(bad)
    assert check_bundle_file(make.folder / "x.oxb")[1] == []


@pytest.mark.parametrize(
    "statement",
    [
        "update bundle_chunks set data = zeroblob(length(data)) where seq = 1",
        "delete from bundle_chunks where seq = 1",
        "update bundle_chunks set data = 'text' where seq = 0",
        "update bundle_chunks set seq = 7 where seq = 2",
        "update bundle_chunks set data = data || x'00' where seq = 2",
    ],
)
def test_damaged_bytes_are_named_and_never_served(make, statement):
    """Bytes of a bundle that are not those of their digest are found when they are read, checked and imported."""
    digest = make.log("a.db", "model", LARGE)
    make.bundle()
    with closing(sqlite3.connect(make.folder / "x.oxb")) as connection:
        connection.execute(statement)
        connection.commit()

    blobs = make.blobs("x.oxb")
    with pytest.raises(ArtifactDamagedError, match=digest), blobs.open(digest) as source:
        source.read()
    with pytest.raises(ArtifactDamagedError, match=digest):
        blobs.copy_to(digest, make.folder / "out")
    assert not (make.folder / "out").exists()
    assert check_bundle_file(make.folder / "x.oxb")[1] == [f"the bytes of {digest} are others"]
    report = make.take("x.oxb")
    assert "the bytes of digits/model were not taken" in report.problems[0]
    assert not make.blobs("b.db").has(digest)


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "a\0b", "", "C:\\out", "x" * 300])
def test_a_folder_cannot_write_outside(make, path):
    """A bundle made by somebody whose folder artifact has a path that leaves the folder: it is neither read nor taken."""
    file = {"digest": digest_of(b"x"), "is_executable": False, "path": path, "size_bytes": 1}
    listed = json.dumps({"files": [file], "type": "otel-experiments.folder", "version": 1}).encode()
    digest = digest_of(listed)
    logged = ArtifactLogged(RUN, "digits", "data", digest, 3, is_folder=True, size_bytes=1)
    run = Run(RUN, "digits", "one", RunState.SUCCEEDED, created_ns=1)
    with writing_bundle(make.folder / "x.oxb") as writer:
        writer.apply(WriteBatch(runs=[run], artifacts=[logged]))
        writer.add_blob(digest, [listed])
        writer.add_blob(digest_of(b"x"), [b"x"])
        writer.finish(BundleManifest(1, "0", "", 1, 1))

    with pytest.raises(ArtifactDamagedError, match="no usable list"):
        make.blobs("x.oxb").folder(digest)
    report = make.take("x.oxb")

    assert "the bytes of digits/data were not taken" in report.problems[0]
    assert not make.blobs("b.db").has(digest)


def test_an_import_brings_the_bytes(make, folder):
    """The artifacts of a bundle are in the store that takes it, bytes, versions and aliases, without the bundle."""
    first, second = make.log("a.db", "model", b"one"), make.log("a.db", "model", b"two", time_ns=2)
    whole = make.log("a.db", "data", folder, time_ns=3)
    make.apply("a.db", artifact_aliases=[AliasSet("digits", "model", "best", first, 4, RUN)])
    make.bundle()

    report = make.take("x.oxb")
    (make.folder / "x.oxb").unlink()
    blobs = make.blobs("b.db")

    assert (report.is_complete, report.renumbered, report.found["artifacts"]) == (True, [], 3)
    for digest in (first, second, whole, digest_of(LARGE)):
        blobs.verify(digest)
    with open_store(make.folder / "b.db", read_only=True) as store:
        found = {
            one.logged.digest: (one.version, one.aliases)
            for one in store.artifacts(ArtifactQuery(name="model"))
        }
    assert found == {first: (0, ("best",)), second: (1, ("latest",))}


def test_importing_artifacts_twice_and_back_doubles_nothing(make):
    """Artifacts that both stores have are one each, whichever takes the other, and however often."""
    make.log("a.db", "model", b"one")
    make.log("b.db", "model", b"one")
    make.log("b.db", "model", b"two", run_id=OTHER, time_ns=2)

    for source, target in (("a.db", "b.db"), ("a.db", "b.db"), ("b.db", "a.db"), ("b.db", "a.db")):
        report = make.take(source, target)
        assert (report.is_complete, report.renumbered) == (True, [])

    for name in ("a.db", "b.db"):
        with open_store(make.folder / name, read_only=True) as store:
            assert [one.version for one in store.artifacts(ArtifactQuery())] == [0, 1]
        assert len(list(make.blobs(name).digests())) == 2


def test_a_version_is_renumbered_only_where_it_must(make):
    """Where both stores gave a number to other bytes of the same name, the one that comes gets the next, and that is told."""
    make.log("a.db", "model", b"one")
    make.log("a.db", "other", b"one", time_ns=2)
    make.log("b.db", "model", b"two", run_id=OTHER)

    report = make.take("a.db")

    assert report.renumbered == ["digits/model:v0 is v1 here"]
    assert make.take("a.db").renumbered == ["digits/model:v0 is v1 here"]


def test_a_store_without_its_folder_is_taken_and_told(make):
    """A store that was copied without its folder of artifacts is imported; the names are there, and what is missing is said."""
    make.log("a.db", "model", b"one")
    directory = artifacts_directory(make.folder / "a.db")
    directory.rename(directory.with_name("elsewhere"))

    report = make.take("a.db")

    assert report.problems == [
        "the bytes of digits/model were not taken: they are not in the store that was read"
    ]
    with open_store(make.folder / "b.db", read_only=True) as store:
        assert len(store.artifacts(ArtifactQuery(name="model"))) == 1


def test_bytes_at_a_place_of_their_own(make):
    """Artifacts that a run kept at another place are in a bundle of it; an import of the store leaves them where they are."""
    place = str(make.folder / "bucket")
    digest = make.log("a.db", "model", b"one", place=place)

    make.bundle()
    report = make.take("a.db")

    assert make.blobs("x.oxb").has(digest)
    with open_store(make.folder / "x.oxb", read_only=True) as store:
        assert store.artifacts(ArtifactQuery())[0].logged.place == ""
    assert report.is_complete
    assert not make.blobs("b.db").has(digest)
    with open_store(make.folder / "b.db", read_only=True) as store:
        assert store.artifacts(ArtifactQuery())[0].logged.place == place


def test_artifacts_are_read_through_a_reader(make, folder, tmp_path):
    """`ox.open` of a bundle finds artifacts by name, version, alias and digest, and gives their bytes and folders."""
    make.log("a.db", "model", b"one")
    digest = make.log("a.db", "model", b"two", time_ns=2)
    make.log("a.db", "data", folder, time_ns=3)
    make.bundle()

    with ox.open(tmp_path / "x.oxb") as bundle:
        assert bundle.artifact("model").read_bytes() == b"two"
        assert bundle.artifact("digits/model:v0").read_bytes() == b"one"
        assert bundle.artifact(digest).name == "model"
        assert bundle.run("run-0").artifacts["model"].read_bytes() == b"two"
        bundle.artifact("data").download(tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "b.bin").read_bytes() == LARGE


def test_an_artifact_of_a_bundle_is_a_file_where_one_is_needed(make, tmp_path):
    """`path()` and a video of a bundle are a file with the bytes, which is there for as long as the process."""
    make.log("a.db", "model", b"weights")
    make.log("a.db", "clip", b"frames", role="media", type="video", media_type="video/mp4", time_ns=2)
    make.bundle()

    model = ox.artifact("model", store=tmp_path / "x.oxb").path()
    with ox.open(tmp_path / "x.oxb") as bundle:
        clip = bundle.run("run-0").media["clip"].last.read()

    assert model.read_bytes() == b"weights"
    assert clip.read_bytes() == b"frames"
    assert ox.artifact("model", store=tmp_path / "x.oxb").path() == model


def test_no_file_is_made_of_what_a_bundle_lacks(make, tmp_path):
    """`path()` of an artifact whose bytes were left out is None, and of damaged ones an error."""
    digest = make.log("a.db", "model", b"weights that are damaged")
    make.bundle(name="without.oxb", artifacts=False)
    make.bundle()
    with closing(sqlite3.connect(tmp_path / "x.oxb")) as connection:
        connection.execute("update bundle_chunks set data = x'00'")
        connection.commit()

    assert ox.artifact("model", store=tmp_path / "without.oxb").path() is None
    with pytest.raises(ArtifactDamagedError, match=digest):
        ox.artifact("model", store=tmp_path / "x.oxb").path()


def test_a_digest_that_is_a_path_is_no_file(make, tmp_path):
    """Where a forged bundle names a path as the digest of bytes, no file of this machine is given for them."""
    make.log("a.db", "model", b"weights")
    make.bundle()
    (tmp_path / "private").write_bytes(b"private")
    digest = f"sha256:{tmp_path}/private"
    with closing(sqlite3.connect(tmp_path / "x.oxb")) as connection:
        connection.execute("update bundle_blobs set digest = ?", (digest,))
        connection.execute("update artifacts set digest = ?", (digest,))
        connection.execute("update artifact_versions set digest = ?", (digest,))
        connection.commit()

    assert ox.artifact("model", store=tmp_path / "x.oxb").path() is None


@pytest.mark.parametrize("choice", [{"artifacts": False}, {"max_artifact_bytes": 1}, {"anonymize": True}])
def test_what_was_left_out_on_purpose_is_said_once_by_an_import(make, folder, choice):
    """The import of a bundle that was made without bytes, as asked, is complete, and says once how many it lacks."""
    make.log("a.db", "model", b"one")
    make.log("a.db", "model", b"two", time_ns=2)
    make.log("a.db", "data", folder, time_ns=3)
    make.bundle(**choice)

    reports = [make.take("x.oxb"), make.take("x.oxb")]

    without = f"{make.folder / 'x.oxb'} was made without the bytes of 3 artifacts, as asked"
    assert [(one.left_out, one.problems, one.is_complete) for one in reports] == [([without], [], True)] * 2


def test_what_is_here_was_not_left_out(make):
    """Of bytes that the store has already, an import does not say that the bundle was made without them."""
    make.log("a.db", "model", b"one")
    make.bundle(artifacts=False)
    make.log("b.db", "model", b"one", run_id=OTHER)

    assert make.take("x.oxb").left_out == []


def test_what_was_missing_when_the_bundle_was_made_is_a_problem(make):
    """Bytes that the bundle should have had, and that were gone when it was made, are named by each import."""
    make.log("a.db", "model", b"one")
    directory = artifacts_directory(make.folder / "a.db")
    directory.rename(directory.with_name("elsewhere"))
    make.bundle()

    report = make.take("x.oxb")

    assert (report.left_out, report.is_complete) == ([], False)
    assert report.problems == [
        "the bytes of digits/model were not taken: they are not in the store that was read"
    ]


def test_a_bundle_of_a_bundle_says_why_bytes_are_not_in_it(make):
    """A bundle of a bundle that was made without bytes gives the same reason, and does not call them missing."""
    make.log("a.db", "model", LARGE)
    make.bundle(max_artifact_bytes=10)

    again = make.bundle("x.oxb", "y.oxb")

    assert [one.why for one in again.left_out] == ["too large"]


def test_an_import_forgets_the_places_that_a_bundle_names(make):
    """Where a bundle says that bytes are, such as an URL of its maker's choice, is not asked later."""
    make.log("a.db", "model", b"one")
    make.bundle()
    with closing(sqlite3.connect(make.folder / "x.oxb")) as connection:
        connection.execute("update artifacts set place = 'http://127.0.0.1:9/x'")
        connection.execute("delete from bundle_chunks")
        connection.execute("delete from bundle_blobs")
        connection.execute(
            "update bundle_manifest set value = ? where key = 'rows_digest'",
            (json.dumps(rows_digest(connection)),),
        )
        seal_manifest(connection)
        connection.commit()

    report = make.take("x.oxb")

    assert not report.is_complete
    with open_store(make.folder / "b.db", read_only=True) as store:
        assert [one.logged.place for one in store.artifacts(ArtifactQuery())] == [""]


def test_an_alias_that_moves_with_an_import_is_named(make):
    """Where an alias was set later in the store that is taken, it points there, and the report says from where it moved."""
    here = make.log("b.db", "model", b"here", run_id=OTHER)
    there = make.log("a.db", "model", b"there", time_ns=2)
    make.apply("b.db", artifact_aliases=[AliasSet("digits", "model", "best", here, 3, OTHER)])
    make.apply("b.db", artifact_aliases=[AliasSet("digits", "model", "prod", here, 9, OTHER)])
    for alias in ("best", "prod", "new"):
        make.apply("a.db", artifact_aliases=[AliasSet("digits", "model", alias, there, 4, RUN)])

    assert make.take("a.db").moved_aliases == ["digits/model:best was v0, is v1"]
    assert make.take("a.db").moved_aliases == []

    make.apply("a.db", artifact_aliases=[AliasSet("digits", "model", "best", None, 5, RUN)])
    assert make.take("a.db").moved_aliases == ["digits/model:best was v1, is gone"]


class Watched:
    """The bytes of a store; whoever reads them finds the target's lock free, as a sweep would."""

    def __init__(self, blobs, target):
        self._blobs, self._target = blobs, target
        self.read = []

    def __getattr__(self, name):
        return getattr(self._blobs, name)

    def open(self, digest):
        """Return a readable, once the lock was taken and given back."""
        self._look(digest)
        return self._blobs.open(digest)

    def path_of(self, digest):
        """Return the file."""
        self._look(digest)
        return self._blobs.path_of(digest)

    def _look(self, digest):
        self.read.append(digest)
        if self._target.is_there():
            with lock.exclusive(self._target.place, 0o600, patience_s=0):
                pass


@pytest.mark.parametrize("kind", ["store", "bundle"])
def test_bytes_are_read_before_the_lock_is_taken(make, tmp_path, kind):
    """Nothing waits for an import that reads a large file: only what was read already gets its name under the lock."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "large").write_bytes(LARGE)
    (folder / "small").write_bytes(b"small")
    make.log("a.db", "data", folder)
    make.log("a.db", "large", LARGE + b"2")
    if kind == "bundle":
        make.bundle()
    with closing(blobs_for(StoreLocation.parse(tmp_path / "b.db"))) as target:
        with target.adding():
            pass
        source = Watched(make.blobs("x.oxb" if kind == "bundle" else "a.db"), target)
        brings = ArtifactBytes(source, target, "")
        with open_store(tmp_path / "a.db", read_only=True) as opened:
            page = WriteBatch(artifacts=[one.logged for one in opened.artifacts(ArtifactQuery())])
        refused = pytest.raises(ArtifactsLockedError)
        with brings.brought(page), refused, lock.exclusive(target.place, 0o600, patience_s=0):
            pass

        assert brings.problems == []
        assert len(set(source.read)) == 4
        assert len(list(target.digests())) == 4
        for one in target.digests():
            target.verify(one.digest)
        assert target.partials() == []


def test_bytes_that_are_swept_on_their_way_are_brought_again(make, tmp_path):
    """A sweep between the reading and the naming takes what nothing refers to; the import has it again under the lock."""
    make.log("a.db", "small", b"small")
    make.log("a.db", "large", LARGE)

    class SweptBefore(LocalBlobStore):
        is_naming = False

        def adding(self):
            if self.is_naming:
                LocalBlobStore(self.place).sweep(set)
            return super().adding()

    class Brings(ArtifactBytes):
        def _wanted(self, logged):
            wanted = super()._wanted(logged)
            target.is_naming = logged is last
            return wanted

    with open_store(tmp_path / "a.db", read_only=True) as opened:
        page = WriteBatch(artifacts=[one.logged for one in opened.artifacts(ArtifactQuery())])
    last = page.artifacts[-1]
    target = SweptBefore(tmp_path / "b.db.artifacts")
    with closing(target), Brings(make.blobs("a.db"), target, "").brought(page):
        assert len(list(target.digests())) == 2


def test_a_damaged_large_file_is_not_taken(make, tmp_path):
    """What has other bytes than its digest says is named, and is neither stored nor left behind."""
    digest = make.log("a.db", "large", LARGE)
    path = make.blobs("a.db").path_of(digest)
    path.chmod(0o600)
    path.write_bytes(LARGE[:-1] + b"!")

    (problem,) = make.take("a.db").problems

    assert "digits/large were not taken" in problem
    assert "are damaged" in problem
    with closing(blobs_for(StoreLocation.parse(tmp_path / "b.db"))) as target:
        assert (list(target.digests()), target.partials()) == ([], [])
