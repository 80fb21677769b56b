"""What a model or a data set is made for: arm, cameras, action and state layout."""
