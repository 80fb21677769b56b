"""The arm's side of the wire: arm interface, messages, driver, governor, kinematics, client, data set.

Imports neither torch nor PyBullet, so that a driver starts in a blink on a small computer beside the arm.
"""
