"""Parallel work in processes or on a Ray cluster, and processes that end with their parent."""
