"""Tollkeeper beside what one would pick instead: ``python -m benchmarks``, or ``make bench``.

Never a test: what is asserted here are sums and answers, not times. See docs/benchmarks.md.
"""
