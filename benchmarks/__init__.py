"""What the surrogate reaches, against what it is compared with, on real tables and virtual labs."""
