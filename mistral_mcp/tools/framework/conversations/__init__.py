"""Conversations that Mistral stores: what goes in, what comes out, what was said."""
