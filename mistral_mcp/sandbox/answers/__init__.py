"""What stands in for a model: texts, calls, vectors, pages and sounds, made by fixed rules."""
