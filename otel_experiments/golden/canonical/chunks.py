"""Chunk traces put back into the run they were cut from.

A long run's step and batch spans go to traces of their own, cut by size and so at places that vary from run to
run. Each such span links to the span that enclosed it: there it belongs. Source: `record/spans/loops.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr


def splice_chunks(spans: list[Span], parent: list[int]) -> frozenset[int]:
    """Hang the spans of chunks below the spans that enclosed them; return the positions of the chunk roots.

    `spans` and `parent` are changed in place: links that only held the chunks together are taken out.
    """
    chunks = [at for at, span in enumerate(spans) if attr.ML_TRACE_CHUNK_INDEX in span.attributes]
    if not chunks:
        return frozenset()
    is_chunk = frozenset(chunks)
    where = {(span.trace_id, span.span_id): at for at, span in enumerate(spans)}
    for at, span in enumerate(spans):
        if at not in is_chunk and parent[at] in is_chunk and span.links:
            enclosing = where.get((span.links[0].trace_id, span.links[0].span_id))
            if enclosing is not None:
                parent[at] = enclosing
                spans[at] = replace(span, links=span.links[1:])
    _hang_up(spans, parent, chunks, where)
    for at, span in enumerate(spans):
        if any(attr.ML_TRACE_CHUNK_INDEX in link.attributes for link in span.links):
            kept = tuple(link for link in span.links if attr.ML_TRACE_CHUNK_INDEX not in link.attributes)
            spans[at] = replace(span, links=kept)
    return is_chunk


def _hang_up(
    spans: Sequence[Span], parent: list[int], chunks: Sequence[int], where: dict[tuple[str, str], int]
) -> None:
    """Give what still hangs below a chunk to the run that the chunk links to."""
    home = {}
    for at in chunks:
        links = spans[at].links
        home[at] = where.get((links[0].trace_id, links[0].span_id), -1) if links else -1
    for at, above in enumerate(parent):
        if above in home:
            parent[at] = home[above]
