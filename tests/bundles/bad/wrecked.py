"""A bundle that cannot even be asked what it brings."""

raise ImportError("no library of ours is here")
