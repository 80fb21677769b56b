"""The session in real time: pictures and states in, waypoints and decisions out."""
