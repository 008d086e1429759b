def check_policies(v, r): return []
def newest_release(p): return None
