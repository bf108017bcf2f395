"""Exporting a merged network as a file for other programs: ONNX, OpenVINO, darktable, PyTorch."""

from adair.export.compare import Comparison
from adair.export.options import ExportOptions
from adair.export.write import FORMATS, Exported, export

__all__ = ["FORMATS", "Comparison", "ExportOptions", "Exported", "export"]
