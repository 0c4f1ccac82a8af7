"""Files that people upload: received as they come and passed on to Mistral; over stdio, from a page on loopback."""
