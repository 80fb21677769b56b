"""Generates episodes of play and practice for data sets."""
