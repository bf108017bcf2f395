"""Folders and object stores restored by many machines, over Ray Data.

`storage` lists, reads and writes files anywhere, `plan` finds what is missing, `worker` loads the network and restores
single files, and `run` distributes the files among as many workers as the cluster has room for.
"""
