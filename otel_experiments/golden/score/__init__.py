"""The equivalence score of two traces, experiment spans, and the score over plain lists of system calls."""
