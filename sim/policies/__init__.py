"""Scripted policies: they play, so that a model can learn from the play."""
