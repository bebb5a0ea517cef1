"""Files to records: what an operator writes, checked whole, with the place of every fault.

`files.load_configuration` reads a process file and its venue files, `venues.load_venue` one venue, `files.check_file`
tells the faults of either kind, `files.json_schemas` is what an editor completes from.
"""
