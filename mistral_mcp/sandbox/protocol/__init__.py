"""The API's protocol: shapes of requests, rules, errors, replies, and the connection."""
