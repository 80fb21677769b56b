"""Our tasks as Gymnasium environments, and any environment of Gymnasium's as a world of ours."""
