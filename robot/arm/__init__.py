"""The arm as the rest of the system sees it: interface, kinematics, collisions and limits of the installation."""
