"""Speed, cost and scale, each figure beside a baseline measured in the same run. `python -m benchmarks [NAME…]`."""
