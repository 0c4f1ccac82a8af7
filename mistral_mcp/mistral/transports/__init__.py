"""What stands between a call and the wire, each around the next."""
