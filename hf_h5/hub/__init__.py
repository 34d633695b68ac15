"""What goes to the Hub beside the files: indices."""
