"""Broken input for every connector: `python -m tests.fuzz`, or `make fuzz`."""
