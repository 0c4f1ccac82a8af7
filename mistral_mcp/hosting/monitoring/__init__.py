"""Monitoring: metrics, request logs, and an audit line for each change of a connection."""
