"""What every store does, as tests: subclass `StoreContract` in a test of pytest, and give it a fixture `store`."""

from otel_experiments.testing.store_contract.contract import StoreContract

__all__ = ["StoreContract"]
