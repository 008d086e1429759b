"""Notes of the bytes that a bundle was made without."""

from otel_experiments.artifacts.left_out import LeftOutNotes

DIGEST = "sha256:" + "ab" * 32


def test_a_note_that_another_process_wrote_goes_when_the_bytes_come(tmp_path):
    """A process that looked before any note was there removes those that came since."""
    recorder, importer = LeftOutNotes(tmp_path), LeftOutNotes(tmp_path)
    recorder.forget(DIGEST)
    importer.write(DIGEST, "not asked for", 0o600)

    recorder.forget(DIGEST)

    assert recorder.why(DIGEST) is None
