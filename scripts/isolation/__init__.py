"""One tenant sends hostile requests at full size, while another calls and /healthz is probed every 50 ms.

    .venv/bin/python -m scripts.isolation [NAME…]

Prints a row for each: the longest time without an answer from /healthz, the other tenant's slowest call above what the
simulated Mistral itself took meanwhile, and the memory above idle at its peak. Fails where a bound of `LIMITS` is exceeded
twice, and by more than what other work on this machine explains. Linux only: memory is read from /proc.
"""
