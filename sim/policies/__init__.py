"""Scripted policies: what plays, so that a model can learn."""
