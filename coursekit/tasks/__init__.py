"""What students write in the assignments, one module an assignment; ``checks`` judges it."""
