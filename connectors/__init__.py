"""One folder per venue protocol, and what all of them share. It knows the aggregator's floors 0 and 1."""
