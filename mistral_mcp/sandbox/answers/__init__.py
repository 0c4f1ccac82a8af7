"""The replacement for the models: texts, tool calls, vectors, OCR pages and audio, made by fixed rules."""
