"""Many tenants: stored connections, pages to create them, OAuth, metrics. Needs the extra `hosting`."""
