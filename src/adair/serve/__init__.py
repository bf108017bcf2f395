"""The HTTP server: POST an image, get it back restored.

A request passes `access` (authorisation), `app` (HTTP), `admission` (limits), `service` (decode, restore and encode, in
a thread) with `codec` (bytes and pixels), and a `BatchingRuntime` (the network, which all share).
"""
