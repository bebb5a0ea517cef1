"""Liquidity as state machines: ladders, venue books, what they add up to, and answers about depth."""
