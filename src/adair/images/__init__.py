"""Image files with their metadata, and the image buffer that all other packages work on.

Read and written: PNG, JPEG, WebP, TIFF, AVIF (libvips) and BMP (Pillow); 8 and 16 bits; gray and RGB, with or without
alpha; CMYK, Lab and floats (`colour`, `floats`) where the format holds them. Read only, through optional packages
(`optional`): HEIC, JPEG XL, raw photos. Converted when read: palette to RGB.
"""

from adair.images.buffer import WHITE, ImageBuffer, open_image
from adair.images.files import new_file, write_whole
from adair.images.image_file import FORMATS, ImageFile, check_quality, convert_depth, output_format
from adair.images.limits import MAX_PIXELS
from adair.images.optional import suffixes_known, suffixes_read
from adair.images.reading import decode_image, read_image
from adair.images.writing import encode_image, write_image

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "WHITE",
    "ImageBuffer",
    "ImageFile",
    "check_quality",
    "convert_depth",
    "decode_image",
    "encode_image",
    "new_file",
    "open_image",
    "output_format",
    "read_image",
    "suffixes_known",
    "suffixes_read",
    "write_image",
    "write_whole",
]
