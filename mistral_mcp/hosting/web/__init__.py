"""Pages and JSON endpoints of the vault."""
