"""From the model to OTLP/protobuf: spans, log records and metric points as the bytes of export requests. Pure."""
