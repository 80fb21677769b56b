"""Cameras: real, recorded and published ones, and the pictures that they give."""
