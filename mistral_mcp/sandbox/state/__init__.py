"""The sandbox's state for each key: files, jobs, libraries, models."""
