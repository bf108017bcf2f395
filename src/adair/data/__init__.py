"""Public test and training sets: what they are, where they come from, where they belong, and fetching them."""

from adair.data.catalogue import DATASETS, dataset
from adair.data.dataset import Dataset, Remote
from adair.data.fetch import Outcome, fetch

__all__ = ["DATASETS", "Dataset", "Outcome", "Remote", "dataset", "fetch"]
