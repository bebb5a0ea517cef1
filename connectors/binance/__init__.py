"""Binance Spot, and Binance.US, which differs in configuration only."""
