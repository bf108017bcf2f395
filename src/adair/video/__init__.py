"""Videos: frame by frame through the restorer, with sound, subtitles, times, colour tags and rotation kept.

Needs PyAV (extra ``video``), which is imported when it is first used.
"""

from adair.video.restoring import restore_video

__all__ = ["restore_video"]
