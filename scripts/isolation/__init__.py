"""Check that tenants are isolated: one sends hostile requests of full size, while another calls and /healthz is probed.

    .venv/bin/python -m scripts.isolation [NAME…]

Prints a row for each attack: the longest time without an answer from /healthz, which is probed every 50 ms; the other tenant's
slowest call, minus the time of the simulated Mistral; and the peak of the memory above idle. Fails if a bound of `LIMITS` is
exceeded twice, and by more than other work on this machine explains. Linux only: memory is read from /proc.
"""
