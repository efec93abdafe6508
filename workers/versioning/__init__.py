"""Worker versions: which code is which, what runs on it, and when new experiments begin on it."""
