"""Public test and training sets: catalogue, location on disk, and download."""

from adair.data.catalogue import DATASETS, dataset
from adair.data.dataset import Dataset, Remote
from adair.data.fetch import Outcome, fetch

__all__ = ["DATASETS", "Dataset", "Outcome", "Remote", "dataset", "fetch"]
