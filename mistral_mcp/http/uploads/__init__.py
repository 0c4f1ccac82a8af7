"""Uploads by people: files are streamed to Mistral; over stdio, from a page on loopback."""
