"""People's data: erasing and exporting a person or a whole org.

Belongs here: a person's data in each table, its removal and its export. Does not: whose a record is (declared in
the source's `personal`), and the door that withholds erased records from a sync (`load/erased`).
"""
