"""All of the aggregator's own I/O."""
