"""A trained model with all its parts: what training saves and the agent loads."""
