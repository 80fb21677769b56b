"""The commands of this floor, one file for each. Only the command line imports them."""
