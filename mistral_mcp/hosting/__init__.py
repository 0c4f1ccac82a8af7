"""Many tenants: stored connections, the page where they are made, metrics. Needs the extra `hosting`."""
