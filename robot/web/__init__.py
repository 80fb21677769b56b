"""The live page: an arm, its cameras and an agent's decisions, in a browser."""
