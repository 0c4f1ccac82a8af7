"""One file a section of the API: what each path takes and answers."""
