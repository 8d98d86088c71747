"""Packaging of soxsdark."""

import os
from pathlib import Path
from runpy import run_path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent
VERSION = run_path(str(HERE / "soxsdark" / "version.py"))["__version__"]

# One binary for all Python versions from 3.11 on; without a compiler the NumPy path serves.
KERNEL = Extension(
    "soxsdark._kernel",
    sources=[f"soxsdark/{n}.c" for n in ("kernel", "frames", "buffers", "_kernelmodule")],
    depends=[f"soxsdark/{n}.h" for n in ("kernel", "kernel_tile", "buffers")],
    # fused operations would round differently from the NumPy reference
    extra_compile_args=[]
    if os.name == "nt"
    else ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    py_limited_api=True,
    optional=True,
)

setup(
    name="soxsdark",
    version=VERSION,
    description="Master darks and bad-pixel masks from raw dark frames, for SOXS and any FITS",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The soxsdark developers",
    license_expression="GPL-3.0-or-later",
    license_files=["LICENSE"],
    keywords=["astronomy", "FITS", "dark current", "bad pixels", "SOXS", "MEGARA"],
    python_requires=">=3.11",
    ext_modules=[KERNEL],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    packages=find_packages(include=["soxsdark", "soxsdark.*"]),
    package_data={
        "soxsdark": ["*.schema.json", "templates/*.html", "templates/*.css"],
        "soxsdark.instruments": ["*.yaml"],
    },
    # where `man` looks for what a folder of programs beside it brings
    data_files=[("share/man/man1", ["docs/soxsdark.1"])],
    install_requires=[
        "numpy>=1.26",
        "astropy>=7.1",
        "ccdproc>=2.4",
        # Of soxspipe's surroundings, and not called: importing it changes TERM and needs six, its
        # tables need unicodecsv, neither of which it declares.
        "fundamentals>=2.8.3",
        "six",
        "pyyaml>=6.0",
        "pydantic>=2.11",
        "tabulate>=0.9",
        "click>=8.1",
        "tqdm>=4.66",
        "matplotlib>=3.8",
        "jinja2>=3.1",
    ],
    extras_require={
        "check": ["bandit>=1.7.8", "pip-audit>=2.7"],
        "fuzz": ["atheris>=2.3"],
        "cluster": ["distributed>=2025.9"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "jsonschema>=4.18",
            "scipy>=1.11",
            "build>=1.2",
            "twine>=6",
            "distributed>=2025.9",
            "pytest-cov>=5",
            "pytest-randomly>=3.15",
        ],
        "lint": [
            "ruff>=0.6",
            "mypy>=1.11",
            "numpydoc>=1.8",
            "codespell>=2.3",
            "pre-commit>=3.8",
            "types-pyyaml",
            "types-tabulate",
            "types-tqdm",
        ],
        "docs": [
            "sphinx>=8",
            "myst-parser>=4",
            "furo>=2024.8",
            "numpydoc>=1.8",
        ],
    },
    entry_points={"console_scripts": ["soxsdark = soxsdark.__main__:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Natural Language :: English",
        "Operating System :: MacOS",
        "Operating System :: POSIX",
        "Programming Language :: C",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Astronomy",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
