"""Dynamic configuration: Temporal's keys that change behaviour here.

keys     every key: its kind, its default, what it means. One line adds one.
kinds    how values are read
config   which value counts where: flags, the file with its constraints, defaults
files    the file, in Temporal's format, read again when it changes
limits   the limits that decisions are given, from the keys
"""
