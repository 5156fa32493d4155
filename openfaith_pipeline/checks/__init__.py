"""Data-quality rules for published rows, derived from the catalog.

A rule reads and reports; it changes nothing. It must be cheap enough to run after every sync.
"""

from openfaith_pipeline.checks.rules import RULES, Finding, Rule, rules_for

__all__ = ["RULES", "Finding", "Rule", "rules_for"]
