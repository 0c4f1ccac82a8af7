"""What the sandbox keeps for each key: files, jobs, libraries, models."""
