"""Rows of another source -> windows of them, and blocks of large arrays, as rows."""
