"""The losses of the world model, one a file."""
