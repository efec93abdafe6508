"""The benchmarks in small: that they measure, not what."""
