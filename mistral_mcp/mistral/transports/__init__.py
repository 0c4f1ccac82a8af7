"""The transports between a call and the network, each wrapping the next."""
