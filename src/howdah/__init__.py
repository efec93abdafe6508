"""Durable experiments on clusters, clouds and laptops."""

__version__ = "0.2.0"
