"""What an operator sees: metrics, a line a request, a line for each connection that is created or ends."""
