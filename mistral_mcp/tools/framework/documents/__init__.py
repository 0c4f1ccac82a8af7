"""Documents that Mistral reads: which pages are asked for, how they are read, and how one is shown."""
