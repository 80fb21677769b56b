"""Commanding and following a running driver from another process."""
