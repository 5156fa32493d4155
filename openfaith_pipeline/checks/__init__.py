"""Data-quality rules, derived from the catalog: what each stream's published rows are examined for.

A rule looks and tells; it changes nothing. It has to be cheap enough to run after every sync.
"""

from openfaith_pipeline.checks.rules import RULES, Finding, Rule, rules_for

__all__ = ["RULES", "Finding", "Rule", "rules_for"]
