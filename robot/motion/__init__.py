"""From waypoints to set-points: trajectories, the governor and the tool's path."""
