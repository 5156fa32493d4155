"""What was asked for from outside, in Postgres before anyone is answered: nothing here needs Dagster to be up."""
