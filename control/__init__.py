"""From goal and latent to actions: critic, actor, planner, objectives and agent. Knows neither PyBullet nor `sim`."""
