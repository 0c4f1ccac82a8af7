"""OAuth's data in the vault: grants with their codes and tokens, and registered clients."""
