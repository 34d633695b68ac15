"""What was asked for: files and options -> the tables to read."""
