"""The HTML of the service: templates, one style sheet, and formatting of values. It reads nothing itself.

Every value is escaped by the templates. Pages load nothing and run nothing: the browser is told so.
"""
