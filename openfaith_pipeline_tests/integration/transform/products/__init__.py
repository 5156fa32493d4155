"""The rules of the products once more, row by row and without any SQL, to compare the tables with."""
