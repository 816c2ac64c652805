"""Which formula stands in which well, and which stock goes where, how much, in what order."""
