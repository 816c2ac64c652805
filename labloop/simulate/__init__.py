"""Virtual labs, and backtests of whole campaigns on them."""
