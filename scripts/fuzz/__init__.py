"""Send generated requests to `serve`: to every route, to the MCP protocol, and as arguments of every tool.

    .venv/bin/python -m scripts.fuzz [SECONDS]

Prints a row for each target. Fails, and prints the request, if an answer is a 500, larger than `LARGEST`, missing, or repeats
the text of a crash; and if the log has a traceback. Runs with the same duration start with the same requests.
"""
