"""Teleoperation: a person's keyboard, gamepad or leader arm, turned into waypoints for the driver."""
