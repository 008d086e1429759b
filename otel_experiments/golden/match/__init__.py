"""Matching of canonical forms: which span of one is which span of the other, and what differs between them."""
