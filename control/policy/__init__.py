"""Critic and actor, which learn on the world model's latents."""
