"""Which formulas fill the next plate."""
