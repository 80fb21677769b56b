"""The live page: an arm, its cameras and what an agent thinks, in a browser."""
