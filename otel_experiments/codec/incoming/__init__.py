"""From OTLP to the model, in protobuf and JSON. Pure."""
