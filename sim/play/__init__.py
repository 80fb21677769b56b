"""Episodes of play and practice, as data sets hold them."""
