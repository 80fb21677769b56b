"""Evaluation episodes on held-out goals, in lock-step or in real time, and their results."""
