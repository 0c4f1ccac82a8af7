"""OCR of documents: page ranges, reading, and pages in results."""
