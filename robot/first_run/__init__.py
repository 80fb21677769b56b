"""The first run of a real arm: slow checks, one joint at a time, and the report that the driver asks for."""
