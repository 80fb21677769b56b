"""What the world model is trained by, one loss a file."""
