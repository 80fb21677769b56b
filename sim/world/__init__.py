"""The PyBullet scene, the simulated arm and camera, and the world in lock-step."""
