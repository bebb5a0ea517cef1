"""Simulated venues: a seeded exchange behind each venue's real wire, in memory or on sockets."""
