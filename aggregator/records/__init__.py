"""What was recorded, read again: replays and reports. Nothing here writes to an engine that trades."""
