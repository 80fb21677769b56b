"""From goal and latent to actions: critic, actor, planner, objectives and the agent. Knows neither PyBullet nor `sim`."""
