"""The endpoints, one file for each section of the API."""
