"""The HTTP server: POST an image, get it back restored.

A request passes `access` (who may ask), `app` (HTTP), `admission` (is there room), `service` (decode, restore, encode,
in a thread) with `codec` (bytes and pixels) and a `BatchingRuntime` (the network, which all share).
"""
