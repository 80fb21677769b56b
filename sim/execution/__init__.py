"""Work in several processes, on a Ray cluster, and processes that end with their parent."""
