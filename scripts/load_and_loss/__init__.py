"""Check that nothing that was acknowledged is lost while parts of a deployment fail and recover."""
