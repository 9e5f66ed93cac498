"""Measurements: ratios in one run, with the plain loop beside the product."""
