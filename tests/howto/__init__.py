"""Tests that run what the pages of ``docs`` and the README show."""
