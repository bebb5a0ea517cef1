"""Where a request goes: what it costs, what is allowed, and the split that costs least. Pure, integers only."""
