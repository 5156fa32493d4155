"""Rights in the database: the roles, their grants, and row-level security by org for those who only read."""
