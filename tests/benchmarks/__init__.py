"""How fast, and how small: each beside a peer or a limit that is measured in the same run."""
