"""Other ways to decide, for comparison."""
