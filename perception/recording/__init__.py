"""Records the arm's motion and the cameras' pictures, episode by episode, as training data."""
