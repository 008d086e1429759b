"""From OTLP to the model: requests and files, in protobuf and JSON. Pure.

`check` counts what a request has and what of it is refused, `read` makes spans, log records and points of the rest.
"""
