"""Measurements of the driver: lease lapses, crashes, malformed messages, access control, lateness and round trips."""
