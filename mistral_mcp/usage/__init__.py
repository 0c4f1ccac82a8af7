"""Usage: a record of each finished call, its observers, and the sums by connection."""
