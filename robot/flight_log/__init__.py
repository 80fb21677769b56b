"""What a driver was asked and did in its last minutes, on disk, and replayed."""
