"""Deciders and policies for comparison."""
