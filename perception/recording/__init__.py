"""Recording what moves the arm and what the cameras see, episode by episode, for whatever learns from it later."""
