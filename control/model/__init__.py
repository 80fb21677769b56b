"""A trained model with all its parts, as training leaves it and the agent loads it."""
