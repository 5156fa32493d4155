"""The status of every church, for people and for programs: the same models as pages and as JSON.

`reading` fills `models` from Postgres, `pages` shows them by the templates, `api` answers them, `decisions` is what a
person may do from the pages. No page has a script, and none changes anything by being looked at.
"""
