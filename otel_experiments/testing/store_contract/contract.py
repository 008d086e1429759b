"""The whole contract of a store."""

from __future__ import annotations

from typing import ClassVar

from otel_experiments.testing.store_contract.artifacts import ArtifactContract
from otel_experiments.testing.store_contract.attachments import AttachmentContract
from otel_experiments.testing.store_contract.batches import BatchContract
from otel_experiments.testing.store_contract.changes import ChangesContract
from otel_experiments.testing.store_contract.edits import EditContract
from otel_experiments.testing.store_contract.finding import FindingContract
from otel_experiments.testing.store_contract.inside import InsideContract
from otel_experiments.testing.store_contract.pages import PageContract
from otel_experiments.testing.store_contract.points import PointContract
from otel_experiments.testing.store_contract.runs import RunContract
from otel_experiments.testing.store_contract.telemetry import TelemetryContract


class StoreContract(
    RunContract,
    PointContract,
    TelemetryContract,
    InsideContract,
    BatchContract,
    FindingContract,
    ArtifactContract,
    EditContract,
    AttachmentContract,
    ChangesContract,
    PageContract,
):
    """The tests that every store passes. Subclass it in a test module, with a fixture `store` that gives an empty store.

    Attributes:
        has_sql: whether the store reads its documented schema with SQL; the others refuse a statement.
        is_one_file: whether the store is one file that has to be settled before it is copied.
        hears_other_hosts: whether the store keeps what processes of any host say of their journals; a local file need not.
    """

    has_sql: ClassVar[bool] = False
    is_one_file: ClassVar[bool] = False
    hears_other_hosts: ClassVar[bool] = True
