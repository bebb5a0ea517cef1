"""Partner venues' books as one consolidated book, a router over it, and a local book."""
