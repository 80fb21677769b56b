"""Checkpoints on disk, and those that come with worldarm."""
