"""What each command of ``hf-h5`` does."""
