"""The web page as an input device: its controls, which page drives, and its recording buttons."""
