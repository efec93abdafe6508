"""What touches the world: one class per family of steps, and the drivers below it."""
