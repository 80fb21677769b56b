"""Computes a camera's intrinsics and its pose from pictures of a calibration board."""
