"""Monitoring of calls on every transport: audit lines in the log, OpenTelemetry spans."""
