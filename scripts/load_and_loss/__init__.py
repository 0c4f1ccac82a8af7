"""Proof that nothing acknowledged is lost while parts of a deployment die and come back."""
