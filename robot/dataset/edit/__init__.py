"""Merge, split, delete, check, repair, push and pull data sets."""
