"""Sends generated requests to `serve`: every route of its HTTP surface, its protocol, and every tool's arguments.

    .venv/bin/python -m scripts.fuzz [SECONDS]

Prints a row for each target, and fails, with the request, where an answer is a 500 or larger than `LARGEST`, where an answer
to a message is none, where it repeats what crashed, or where the log has a traceback. Each run with the same time begins with
the same requests.
"""
