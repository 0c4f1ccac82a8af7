"""Conversations that Mistral stores: inputs, results, history."""
