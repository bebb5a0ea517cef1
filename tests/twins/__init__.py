"""Naive twins: what the real structures must equal, written so that one look shows them right."""
