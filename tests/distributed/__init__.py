"""Conversions as plans of shards; ``engines`` holds what needs an engine that is installed by an extra."""
