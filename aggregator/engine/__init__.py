"""One writer, synchronous: events in, state changed, effects out. No clock, no await, no randomness."""
