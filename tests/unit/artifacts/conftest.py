"""Places for the bytes of artifacts."""

import pytest

from otel_experiments.artifacts.local_store import LocalBlobStore


@pytest.fixture
def blobs(tmp_path):
    """A local folder of blobs, which is not there before something is put."""
    store = LocalBlobStore(tmp_path / "runs.db.artifacts")
    yield store
    store.close()


@pytest.fixture
def put():
    """Return the function that keeps a file, a folder or bytes in a place."""
    return _put


def _put(blobs, source, **how):
    """Keep a file, a folder or bytes."""
    with blobs.adding() as adding:
        if isinstance(source, bytes):
            return adding.put_bytes(source)
        if source.is_dir():
            return adding.put_folder(source, **how)
        return adding.put_file(source, **how)
