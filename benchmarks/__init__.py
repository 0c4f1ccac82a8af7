"""Speed, cost and scale, each figure beside a baseline measured in the same run.

python -m benchmarks                        # everything, some minutes; --quick: less of everything, within two
python -m benchmarks calls vault            # some of it
python -m benchmarks --json now.json        # for programs, and for:
python -m benchmarks --compare then.json    # what changed since
python -m benchmarks --peers --openapi F    # beside the peers too; they are installed apart

Everything runs on loopback: an upstream that answers from constants (`upstream`), the servers, and a load generator in a
process of its own (`generator`). The minimal server (`minimal`) is the floor: what the SDK gives to whoever writes one
tool and nothing else. Linux only: what a server costs is read from /proc.
"""
