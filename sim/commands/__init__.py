"""The commands of this floor, one file a word. Only the command line imports them."""
