"""What an arm is to the rest of the system: its interface, kinematics, collisions and limits of installation."""
