"""The commands of this floor, one file per command word. Only the command line imports them."""
