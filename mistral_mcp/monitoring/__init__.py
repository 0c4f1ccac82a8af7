"""What an operator sees of calls wherever the server runs: a line of the log, spans of OpenTelemetry."""
