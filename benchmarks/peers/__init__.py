"""Other packages on the same problems, each in an environment of its own.

Their dependencies must not decide ours, so problems go over and predictions come back as files:
`python -m benchmarks.peers export`, then `predict.py` in the peers' environment, then
`python -m benchmarks.peers score`. `make bench-peers` does all three.
"""
