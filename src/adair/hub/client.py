"""The hub's own client (huggingface-hub), imported when needed, with its errors as single lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adair import __version__
from adair.data.download import digest
from adair.errors import AdairError, FileFormatError, InputError, TooLargeError
from adair.hub.reference import HubReference

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SECONDS = 30.0  # for an answer


def hub_client(name: str) -> HfApi:
    """Return the client, with the token and the endpoint that it finds in its environment.

    Raises:
        AdairError: it is not installed; the message names ``name``.
    """
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise AdairError(f"{name}: a hub needs {error.name}; run: pip install 'adair[hub]'") from error
    return HfApi(library_name="adair", library_version=__version__)


def fetch_from_hub(name: str, reference: HubReference, folder: Path, limit: int) -> tuple[Path, str]:
    """Download a file of a repository into ``folder``.

    Args:
        name: what the user wrote, for messages.
        reference: the file; the only ``.safetensors`` there if it names none.
        folder: an empty folder.
        limit: bytes that the file may have.

    Returns:
        The file, and the commit that it is from.

    Raises:
        AdairError: no such repository, revision or file, one that is too large, no access, or no connection.
    """
    client = hub_client(name)
    with explained(name):
        facts = client.model_info(reference.repo, revision=reference.revision, files_metadata=True, timeout=SECONDS)
    files = {entry.rfilename: entry for entry in facts.siblings or []}
    entry = files[_choose(name, list(files), reference.file)]
    if entry.size is None or entry.size > limit:
        raise TooLargeError(f"{name}: {entry.rfilename} has {entry.size} bytes; the limit is {limit:,}")
    with explained(name):
        path = Path(client.hf_hub_download(reference.repo, entry.rfilename, revision=facts.sha, local_dir=folder))
    if path.stat().st_size != entry.size or (entry.lfs and digest(path) != entry.lfs.sha256):
        raise FileFormatError(f"{name}: the downloaded file is not the one that the hub lists; try again later")
    return path, facts.sha or ""


def _choose(name: str, files: list[str], wanted: str | None) -> str:
    weights = sorted(file for file in files if file.endswith(".safetensors"))
    if wanted is None and len(weights) == 1:
        return weights[0]
    if wanted is not None and wanted in files:
        return wanted
    what = f"has no file {wanted}" if wanted else "has several files" if weights else "contains no .safetensors file"
    there = f"; it has {', '.join(weights[:12])}" if weights else ""
    raise InputError(f"{name}: {what}{there}")


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn an exception of the client into one line that names ``name`` and a remedy."""
    try:
        yield
    except Exception as error:
        raise AdairError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    answers: tuple[tuple[Any, str], ...] = (
        (errors.GatedRepoError, "its owner asks for consent; accept the terms on its page, then set HF_TOKEN"),
        (
            errors.RepositoryNotFoundError,
            "there is no such repository, or you may not see it; check it, or set HF_TOKEN",
        ),
        (errors.RevisionNotFoundError, "there is no such revision; leave @... out for the newest"),
        (errors.EntryNotFoundError, "there is no such file"),
    )
    for kind, text in answers:
        if isinstance(error, kind):
            return text
    if isinstance(error, errors.HfHubHTTPError):
        code = error.response.status_code
        if code in (401, 403):
            return f"the hub does not allow this ({code}); set HF_TOKEN to a token with the right to do it"
        return f"the hub answers {code} ({error.server_message or 'no reason given'}); try again later"
    lines = str(error).splitlines() or [type(error).__name__]
    return f"the hub cannot be reached ({lines[0]}); try again later"
