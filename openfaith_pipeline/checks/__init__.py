"""Data-quality rules for published rows, derived from the catalog.

Belongs here: a rule, which reads and reports, and is cheap enough to run after every sync.
Does not: any change of a row,
or the comparison with the source (`audit`).
"""

from openfaith_pipeline.checks.rules import RULES, Finding, Rule, rules_for

__all__ = ["RULES", "Finding", "Rule", "rules_for"]
