"""Measures what a recording and a calibration promise."""
