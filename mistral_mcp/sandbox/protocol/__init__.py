"""How the API speaks: shapes of requests, rules, errors, replies, and the connection."""
