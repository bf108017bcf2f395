"""The datasets that benchmarks and training runs of the field use.

Checksums and sizes are given only if somebody publishes them: TensorFlow Datasets (DIV2K), Hugging Face
(Flickr2K), deepinv (Urban100, BSDS500), users of Restormer's archives (Rain13K). Addresses at GitHub and Hugging Face
name a commit where they can, so that what they answer does not change.
"""

from __future__ import annotations

import difflib

from adair.data.dataset import Dataset, Remote
from adair.errors import AdairError

_HUGGING_FACE = "https://huggingface.co/datasets"
_DNCNN = "https://raw.githubusercontent.com/cszn/DnCNN/badb6530935b23b2f2fcb40885898a2bab80eb73/testsets"
_FFDNET = "https://raw.githubusercontent.com/cszn/FFDNet/a68d544599bb9bb2f89da51ab9e18458fa882023/testsets"
_SWINIR = "https://raw.githubusercontent.com/JingyunLiang/SwinIR/33f616625268d08ba600f8db89388eec0328edb1/testsets"
_EDSR = "https://cv.snu.ac.kr/research/EDSR/benchmark.tar"
_ETH = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
_RESTORMER = f"{_HUGGING_FACE}/laoduanaaa/Image_Restoration_Datasets/resolve/main/Deraining"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="

_BSDS = "non-commercial research and education only (Berkeley Segmentation Dataset)"
_BSDS_PAGE = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/"
_ACADEMIC = "none stated by its makers; academic use, says the Hugging Face card"
_UNSTATED = "none stated; published for research"
_CLASSIC5 = "baboon barbara boats lena peppers"
_LIVE1 = """
bikes building2 buildings caps carnivaldolls cemetry churchandcapitol coinsinfountain dancers flowersonih35 house
lighthouse2 lighthouse3 manfishing monarch ocean paintedhouse parrots plane rapids sailing1 sailing2 sailing3 sailing4
statue stream studentsculpture woman womanhat
"""


def _all_images(folder: str) -> tuple[tuple[str, str], ...]:
    """Every image of an archive, whatever folder it is in there; no hidden files."""
    return ((r"(?!__MACOSX/)(?:.*/)?(\w[^/]*\.(?:png|jpe?g|bmp|tiff?))", rf"{folder}/\1"),)


def _files(base: str, folder: str, names: list[str]) -> tuple[Remote, ...]:
    """Images that are published one by one."""
    return tuple(Remote((f"{base}/{name}",), _all_images(folder)) for name in names)


def _matlab(name: str, images: int, inside: str, stem: str = "(.+)", wanted: str = r"\2") -> Dataset:
    """MATLAB's own bicubic low-resolution images of a test set, from the archive of EDSR's authors."""
    rule = (rf"benchmark/{inside}/LR_bicubic/X([234])/{stem}x[234]\.png", rf"{name}_matlab_bicubic/x\1/{wanted}.png")
    return Dataset(
        f"{name}_matlab_bicubic",
        "test",
        f"low resolution x2, x3 and x4 of {name} by MATLAB; fetch the four such sets together: they share an archive",
        images,
        f"that of {name}",
        "https://github.com/sanghyun-son/EDSR-PyTorch",
        (Remote((_EDSR,), (rule,), 250_000_000),),
        ("x2", "x3", "x4"),
    )


def _rain(name: str, about: str) -> Dataset:
    """A test set of Restormer's archive; its images are numbered, a rainy one like its clean one."""
    return Dataset(
        name,
        "test",
        f"{about}; fetch Rain100L and Rain100H together: they share an archive",
        100,
        f"none stated (Yang et al. 2017); the clean images are BSDS: {_BSDS}",
        "https://github.com/swz30/Restormer/tree/main/Deraining",
        (
            Remote(
                (f"{_RESTORMER}/test.zip", f"{_DRIVE}1P_-RAvltEoEhfT-9GrWRdpEi6NSswTs8"),
                ((rf"test/{name}/(input|target)/(\d+\.png)", rf"{name}/\1/\2"),),
                1_360_310_555,
                "sha256:5be86b39609c3fbd6b3f0cceb45aa98b06e38ad76d7fb85bcbe0eefc0a9d5311",
            ),
        ),
        ("input", "target"),
    )


def _hugging_face(path: str, folder: str, size: int, checksum: str | None = None) -> tuple[Remote, ...]:
    return (Remote((f"{_HUGGING_FACE}/{path}",), _all_images(folder), size, checksum),)


_SETS = (
    Dataset(
        "CBSD68",
        "test",
        "68 colour photos of BSDS300's test part, for denoising",
        68,
        _BSDS,
        "https://huggingface.co/datasets/deepinv/CBSD68",
        _hugging_face(
            "deepinv/CBSD68/resolve/6b07c98054171f0d21684369335a286256c789ac/CBSD68.tar.gz", "CBSD68", 19_700_000
        ),
    ),
    Dataset(
        "Kodak24",
        "test",
        "24 photos of the Kodak Photo CD, 768x512, for denoising and more",
        24,
        "unrestricted use (Eastman Kodak)",
        "https://r0k.us/graphics/kodak/",
        _files(f"{_FFDNET}/Kodak24", "Kodak24", [f"kodim{number:02}.png" for number in range(1, 25)]),
    ),
    Dataset(
        "McMaster",
        "test",
        "18 colourful crops of 500x500, for denoising and demosaicking",
        18,
        f"{_UNSTATED} (Zhang et al. 2011)",
        "https://www4.comp.polyu.edu.hk/~cslzhang/CDM_Dataset.htm",
        _files(f"{_SWINIR}/McMaster", "McMaster", [f"{number}.tif" for number in range(1, 19)]),
    ),
    Dataset(
        "Urban100",
        "test",
        "100 photos of buildings, full of straight lines, for denoising and super-resolution",
        100,
        "CC BY 4.0, says the Hugging Face card (Huang et al. 2015)",
        "https://github.com/jbhuang0604/SelfExSR",
        (
            Remote(
                (
                    f"{_HUGGING_FACE}/eugenesiow/Urban100/resolve/57309de03db02ac12ee09ad6127e7b815c211328"
                    "/data/Urban100_HR.tar.gz",
                ),
                ((r"Urban100_HR/img_?(\d+\.png)", r"Urban100/img_\1"),),
                135_000_000,
                "md5:65d9d84a34b72c6f7ca1e26a12df1e4c",
            ),
        ),
    ),
    Dataset(
        "Set5",
        "test",
        "5 small photos, for super-resolution",
        5,
        _ACADEMIC,
        "https://huggingface.co/datasets/eugenesiow/Set5",
        _hugging_face(
            "eugenesiow/Set5/resolve/325646fe7cc8811e312562437885c5c018c74966/data/Set5_HR.tar.gz", "Set5", 852_000
        ),
    ),
    Dataset(
        "Set14",
        "test",
        "14 photos and drawings, for super-resolution",
        14,
        _ACADEMIC,
        "https://huggingface.co/datasets/eugenesiow/Set14",
        _hugging_face(
            "eugenesiow/Set14/resolve/5c964717e61b4931236a6dd5561750d11e5a7abb/data/Set14_HR.tar.gz", "Set14", 4_980_000
        ),
    ),
    Dataset(
        "BSD100",
        "test",
        "100 photos, the test part of BSDS300, for super-resolution",
        100,
        _BSDS,
        _BSDS_PAGE,
        _hugging_face(
            "eugenesiow/BSD100/resolve/8fbc3a31603eba947ea6eba928d31fee0f0c31bb/data/BSD100_HR.tar.gz",
            "BSD100",
            27_200_000,
        ),
    ),
    _matlab("Set5", 5, "Set5"),
    _matlab("Set14", 14, "Set14"),
    _matlab("BSD100", 100, "B100"),
    _matlab("Urban100", 100, "Urban100", r"img_?(\d+)", r"img_\2"),
    Dataset(
        "PolyU_canon",
        "test",
        "27 pairs of real noise: crops of 512x512 by three Canon cameras, and the means of many shots",
        27,
        "BSD-like, inside the archive (Xu et al. 2018, arXiv 1804.02603)",
        "https://github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset",
        (
            Remote(
                ("https://github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset/archive/refs/heads/master.zip",),
                ((r".*/CroppedImages/(Canon\w+)_(real|mean)\.JPG", r"PolyU_canon/\2/\1.jpg"),),
            ),
        ),
        ("real", "mean"),
    ),
    _rain("Rain100L", "100 pairs with light drawn rain"),
    _rain("Rain100H", "100 pairs with heavy drawn rain"),
    Dataset(
        "LIVE1",
        "test",
        "29 photos, for JPEG repair; 19 of them are also in Kodak24",
        29,
        "free to use and share with its copyright notice (LIVE, University of Texas at Austin)",
        "https://live.ece.utexas.edu/research/quality/subjective.htm",
        _files(f"{_DNCNN}/LIVE1", "LIVE1", [f"{name}.bmp" for name in _LIVE1.split()]),
    ),
    Dataset(
        "classic5",
        "test",
        "5 gray pictures, for JPEG repair",
        5,
        _UNSTATED,
        "https://github.com/JingyunLiang/SwinIR",
        _files(f"{_SWINIR}/classic5", "classic5", [f"{name}.bmp" for name in _CLASSIC5.split()]),
    ),
    Dataset(
        "DIV2K",
        "train",
        "800 photos of 2 megapixels and more",
        800,
        "academic research only (ETH Zurich)",
        "https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        (
            Remote(
                (f"{_ETH}/DIV2K_train_HR.zip",),
                _all_images("DIV2K"),
                3_530_603_713,
                "sha256:9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
            ),
        ),
    ),
    Dataset(
        "DIV2K_valid",
        "train",
        "100 photos for validation of DIV2K",
        100,
        "academic research only (ETH Zurich)",
        "https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        (
            Remote(
                (f"{_ETH}/DIV2K_valid_HR.zip",),
                _all_images("DIV2K_valid"),
                448_993_893,
                "sha256:20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
            ),
        ),
    ),
    Dataset(
        "Flickr2K",
        "train",
        "2,650 photos of 2 megapixels and more",
        2650,
        "none stated by its makers; photos of Flickr users, for research",
        "https://github.com/limbee/NTIRE2017",
        _hugging_face(
            "goodfellowliu/Flickr2K/resolve/main/Flickr2K.zip",
            "Flickr2K",
            11_600_000_000,
            "sha256:401a5b1d247d18d1114b77b069e3c7bf235c80f06b8b9caaef0086d07f1d42a3",
        ),
    ),
    Dataset(
        "BSDS400",
        "train",
        "400 photos: BSDS500's train and test; its val is left out, for CBSD68 and BSD100 are in there",
        400,
        _BSDS,
        _BSDS_PAGE,
        (
            Remote(
                ("https://github.com/BIDS/BSDS500/archive/refs/heads/master.zip",),
                ((r"BSDS500-master/BSDS500/data/images/(?:train|test)/(\d+\.jpg)", r"BSDS400/\1"),),
                None,
                "md5:7bfe17302a219367694200a61ce8256c",
            ),
        ),
    ),
    Dataset(
        "Rain13K",
        "train",
        "13,711 pairs with drawn rain, gathered from five sets",
        13_711,
        _UNSTATED,
        "https://github.com/swz30/Restormer/tree/main/Deraining",
        (
            Remote(
                (f"{_RESTORMER}/train.zip", f"{_DRIVE}14BidJeG4nSNuFNFDf99K-7eErCq4i47t"),
                ((r"train/Rain13K/(input|target)/([^/]+\.(?:png|jpg))", r"Rain13K/\1/\2"),),
                1_163_440_376,
                "sha256:b999f61e7d7df1c2333d8a63a80b89fea2f75197dd9350428a174bcb9e193a5d",
            ),
        ),
        ("input", "target"),
    ),
)

DATASETS: dict[str, Dataset] = {entry.name: entry for entry in _SETS}


def dataset(name: str) -> Dataset:
    """The dataset of that name; capitals do not matter.

    Raises:
        AdairError: an unknown name; the line suggests one.
    """
    by_name = {known.lower(): known for known in DATASETS}
    if name.lower() in by_name:
        return DATASETS[by_name[name.lower()]]
    near = difflib.get_close_matches(name.lower(), by_name, n=1)
    hint = f"did you mean {by_name[near[0]]}?" if near else "adair data list shows all"
    raise AdairError(f"unknown dataset '{name}'; {hint}")
