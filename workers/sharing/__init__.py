"""What all workers of a site hold to together: its desk, its slots, its rate, the shares of its projects."""
