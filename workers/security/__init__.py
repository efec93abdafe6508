"""What keeps others' commands out and values under lock: signatures, seals, keys."""
