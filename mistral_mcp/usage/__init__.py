"""What calls used: one record of each finished call, who hears of it, and the sums by connection."""
