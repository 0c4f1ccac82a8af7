"""Benchmarks of speed, cost and scale. Each figure is shown beside a baseline measured in the same run.

python -m benchmarks                        # all benchmarks, some minutes; with --quick fewer calls, within two
python -m benchmarks calls vault            # these two
python -m benchmarks --json now.json        # write the rows as JSON, also for:
python -m benchmarks --compare then.json    # show the changes since an earlier run
python -m benchmarks --peers --openapi F    # compare with other servers too; they are installed in environments of their own

Everything runs on loopback: an upstream that answers from constants (`upstream`), the servers, and a load generator in its
own process (`generator`). The baseline is the minimal server (`minimal`): one tool written with the SDK, and nothing else.
Linux only: CPU time and memory are read from /proc.
"""
