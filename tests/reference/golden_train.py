def write_all(golden): pass
