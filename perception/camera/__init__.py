"""Cameras: real, recorded and published ones, and their pictures."""
