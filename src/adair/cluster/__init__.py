"""Folders and object stores restored by many machines, over Ray Data.

`storage` lists, reads and writes wherever the files are, `plan` says what is missing, `worker` restores one file with a
network that it holds, and `run` gives the work to as many workers as the cluster has room for.
"""
