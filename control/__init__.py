"""From goal and latent to actions: planner, objective, critic, actor, and the agent's loop.

Knows neither PyBullet nor the simulation.
"""
