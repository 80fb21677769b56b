"""What to go for, in which order, and whether it is reached."""
