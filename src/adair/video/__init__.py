"""Restoring videos frame by frame; sound, subtitles, timing, colour tags and rotation are kept.

Needs PyAV (extra ``video``), which is imported when first used.
"""

from adair.video.restoring import restore_video

__all__ = ["restore_video"]
