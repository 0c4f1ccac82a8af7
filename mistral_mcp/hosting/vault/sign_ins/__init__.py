"""What OAuth keeps in the vault: grants with their codes and tokens, and clients that registered."""
