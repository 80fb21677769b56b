"""Finding a camera's lens and its place from pictures of a board."""
