"""Events and log records that this package writes to the journal without the SDK."""
