"""Image files in and out: pixels as they are stored, with everything else that the file holds kept beside them.

Read and written: PNG, JPEG, WebP, TIFF, AVIF (libvips) and BMP (Pillow); 8 and 16 bits; gray and RGB, with or without
alpha. Converted on the way in: palette to RGB, CMYK through its profile to sRGB, Lab and YCbCr to sRGB.
"""

from adair.restore.image_file import FORMATS, ImageFile, convert_depth, output_format
from adair.restore.reading import MAX_PIXELS, read_image
from adair.restore.writing import write_image

__all__ = ["FORMATS", "MAX_PIXELS", "ImageFile", "convert_depth", "output_format", "read_image", "write_image"]
