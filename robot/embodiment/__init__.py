"""The embodiment of a model or a data set: arm, cameras, action convention and state layout."""
