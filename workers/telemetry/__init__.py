"""What can be seen of workers from outside: metrics, traces, log lines."""
