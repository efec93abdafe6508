"""For authors of bundles, and for howdah's own tests: contract suites, named fakes, private servers."""
