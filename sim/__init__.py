"""The PyBullet scene, simulated arm and camera, tasks, play, demo and benchmark: the top floor."""
