"""Publishing an adapter with its card and image, on a hub or in a folder that any web server can serve."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from adair.data.download import digest
from adair.errors import AdairError, InputError
from adair.hub.card import licence_of, write_card
from adair.hub.client import explained, hub_client
from adair.hub.locate import is_offline, locate
from adair.hub.reference import HubReference, is_address, parse_reference
from adair.images.files import write_whole
from adair.weights import read_header, read_tensors

PICTURE = "before_after.webp"


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        place: the folder, or the address of the commit.
        files: names of the files there.
    """

    place: str
    files: tuple[str, ...]


def push(
    adapter: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    picture: bytes | None = None,
    licence: str | None = None,
    private: bool = False,
    overwrite: bool = False,
) -> Published:
    """Publish an adapter with a page about its purpose, training and figures.

    Args:
        adapter: as for `locate`; the page is generated from its card.
        target: ``hf://user/name``, created if it does not exist, or a folder.
        picture: before and after (`before_after`), as WebP.
        licence: identifier such as "apache-2.0"; None for that in the file.
        private: whether a new repository is visible only to its owner.
        overwrite: whether files in a folder are replaced; a hub keeps the former ones in its history.

    Raises:
        AdairError: a file that is not an adapter, no licence, a folder with such files, offline mode, no right to write
            there, or no connection.
    """
    path = locate(adapter)
    header = read_header(path)
    if header.kind != "adapter":
        raise InputError(f"{path}: is not an adapter; only adapters are published")
    read_tensors(header)  # damage must be found before publishing
    name, licence = os.fspath(target), licence_of(header, licence)
    repository = parse_reference(name) if is_address(name) else None
    if repository is not None and not (isinstance(repository, HubReference) and repository.file is None):
        raise InputError(f"{name}: cannot be published to; give hf://user/name or a folder")
    file = f"{header.metadata['task']}.safetensors"
    card = write_card(header, name, licence, digest(path), PICTURE if picture else None)
    contents = {file: path.read_bytes(), "README.md": card.encode(), **({PICTURE: picture} if picture else {})}
    if isinstance(repository, HubReference):
        return Published(_upload(name, repository, contents, private), tuple(contents))
    folder = Path(target)
    taken = next((folder / one for one in contents if (folder / one).exists()), None)
    if taken and not overwrite:
        raise AdairError(f"{taken}: exists; publish to another folder, or replace it with --overwrite")
    for one, data in contents.items():
        write_whole(folder / one, data, overwrite)
    return Published(name, tuple(contents))


def _upload(name: str, repository: HubReference, contents: dict[str, bytes], private: bool) -> str:
    if is_offline():
        raise AdairError(f"{name}: cannot be reached in offline mode; publish to a folder, or turn offline mode off")
    client = hub_client(name)
    with tempfile.TemporaryDirectory(prefix="adair-push-") as folder:
        for one, data in contents.items():
            Path(folder, one).write_bytes(data)
        with explained(name):
            client.create_repo(repository.repo, private=private or None, exist_ok=True)
            done = client.upload_folder(
                repo_id=repository.repo,
                folder_path=folder,
                revision=repository.revision,
                commit_message="Add the adapter with its card",
            )
    return str(done.commit_url)
